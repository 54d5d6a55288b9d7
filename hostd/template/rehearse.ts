import { randomBytes } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import type { GuestIdentity, InitExecResult } from '../guest/init/channel.ts';
import { browsers, type Browser } from './suites.ts';
import type { WarmMachine } from './warmMachine.ts';
import type { Warming } from './warming.ts';

const bootMaxMs = 600_000;
const restMaxMs = 240_000;
const browserMaxMs = 200_000;
const restLookMs = 2_500;
/** An idle desktop with its clock on the panel uses about 3 % of a core. */
const restShare = 0.08;
const restLooksWanted = 3;
/** When in a minute it is time to save, which takes about two seconds more. */
const beforeMinuteMs = 55_000;

/**
 * Brings the desktop to where every clone shall begin: painted, at rest, nobody's, and with what users open first
 * already in the page cache.
 */
export async function rehearse(machine: WarmMachine, warming: Warming): Promise<void> {
  const { meter } = warming;
  const browser = browsers[warming.template.suite];
  await waitForDesktop(machine, warming);
  await waitForRest(machine, warming);
  meter.enter('warming programs');
  await machine.init.identify(rehearsalIdentity(warming), 60_000);
  const programs = [openTerminal, openFiles, openBrowser];
  for (const [done, program] of programs.entries()) {
    await program(machine, browser);
    meter.tell((done + 1) / (programs.length + 1));
  }
  await machine.init.exec({
    argv: ['sh', '-c', tidy(browser)],
    user: 'root',
    timeoutMs: 120_000,
    outputMaxBytes: 4096,
  });
  for (const command of firstCommands) {
    for (let i = 0; i < 3; i++)
      await machine.init.exec({ argv: command, user: 'agent', timeoutMs: 60_000, outputMaxBytes: 4096 });
  }
  await restPointer(machine);
  await waitForRest(machine, warming);
  await waitForMinute(warming);
  await machine.init.forget(30_000);
  machine.init.close();
  // The init program has seen its host leave, so every clone finds it waiting at the start of a frame.
  await warming.clock.sleep(1_000);
}

/** What a clone is asked first: after the memory was tidied, so that programs and the ways to them are in it. */
const firstCommands = [['python3', '-c', 'pass'], ['bash', '-c', 'true'], ['sh', '-c', 'true'], ['true']];

const windowTries = 600;
/** Starts a program, waits for its window, closes it and waits for its end. */
function visit(command: string, windowClass: string, settleSeconds: number): string {
  const find = `xdotool search --onlyvisible --class ${windowClass}`;
  return [
    `setsid ${command} >/dev/null 2>&1 &`,
    `i=0; until ${find} >/dev/null 2>&1; do i=$((i+1)); [ $i -lt ${windowTries} ] || exit 3; sleep 0.3; done`,
    `sleep ${settleSeconds}`,
    `for w in $(${find}); do wmctrl -i -c $w; done`,
    `i=0; while ${find} >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 100 ] || exit 4; sleep 0.3; done`,
  ].join('\n');
}

async function openTerminal(machine: WarmMachine): Promise<void> {
  await run(machine, visit('xfce4-terminal', 'xfce4-terminal', 3), 200_000);
}

async function openFiles(machine: WarmMachine): Promise<void> {
  await run(machine, visit('thunar', 'thunar', 2), 200_000);
}

/** On a slow machine it may take longer than this; then only its first start in a clone is slower. */
async function openBrowser(machine: WarmMachine, browser: Browser): Promise<void> {
  const script = visit(browser.command, browser.windowClass, 6);
  await machine.init.exec({ argv: ['sh', '-c', script], user: 'agent', timeoutMs: browserMaxMs, outputMaxBytes: 4096 });
}

/**
 * A browser's profile holds ids that no two desktops may share, and a lock that names the host. At last free memory is
 * overwritten with zeros, which the RAM file need not hold.
 */
const tidy = (browser: Browser) =>
  [
    `pkill -KILL -u agent ${browser.process}; cd /home/agent`,
    `rm -rf ${browser.leavings.join(' ')} .pki .cache/sessions .bash_history /root/.bash_history`,
    'sync',
    "free=$(awk '/^MemFree:/ { print int($2 / 1024) - 48 }' /proc/meminfo)",
    '[ "$free" -lt 16 ] || dd if=/dev/zero of=/dev/null bs="${free}M" count=1 2>/dev/null',
  ].join('\n');

async function run(machine: WarmMachine, script: string, timeoutMs: number): Promise<InitExecResult> {
  const result = await machine.init.exec({
    argv: ['sh', '-c', script],
    user: 'agent',
    timeoutMs,
    outputMaxBytes: 4096,
  });
  if (result.exitCode === 0) return result;
  const words = Buffer.from(result.stderr).toString('utf8').slice(0, 300);
  throw new Fault(
    'needs_operator',
    `the template's desktop failed (${result.exitCode}) at: ${script.slice(0, 60)} ${words}`,
  );
}

async function waitForDesktop(machine: WarmMachine, warming: Warming): Promise<void> {
  const { clock, signal, meter } = warming;
  const startedMs = clock.monotonicMs();
  for (let looks = 0; looks < bootMaxMs / 1000; looks++) {
    signal.throwIfAborted();
    const elapsedMs = clock.monotonicMs() - startedMs;
    if (elapsedMs > bootMaxMs) break;
    const health = await machine.init.health(bootMaxMs - elapsedMs);
    if (health.displayUp && health.windowManagerUp) return;
    meter.tell(Math.min(0.6, elapsedMs / 120_000));
    await clock.sleep(1_000, signal);
  }
  throw new Fault('needs_operator', `the template's desktop did not appear within ${bootMaxMs / 1000} s`);
}

/** At rest: the emulator itself uses hardly any processor time, several looks in a row. */
async function waitForRest(machine: WarmMachine, warming: Warming): Promise<void> {
  const { clock, signal, meter } = warming;
  const untilMs = clock.monotonicMs() + restMaxMs;
  let looks = 0;
  for (let calm = 0; calm < restLooksWanted && clock.monotonicMs() < untilMs;) {
    signal.throwIfAborted();
    const before = machine.cpuSeconds();
    await clock.sleep(restLookMs, signal);
    looks += 1;
    meter.tell(0.6 + 0.39 * (1 - 0.9 ** looks));
    calm = (machine.cpuSeconds() - before) / (restLookMs / 1000) < restShare ? calm + 1 : 0;
  }
}

/**
 * The clock of the panel draws itself at the turn of its minute, whatever time a clone is told: saved shortly before, every
 * clone draws the right time soon after it woke up.
 */
async function waitForMinute({ clock, signal }: Warming): Promise<void> {
  const minuteMs = 60_000;
  const intoMinuteMs = clock.nowMs() % minuteMs;
  await clock.sleep((minuteMs + beforeMinuteMs - intoMinuteMs) % minuteMs, signal);
}

/** A desktop whose pointer has moved shows it; the middle of the screen is where nothing reacts to it. */
async function restPointer(machine: WarmMachine): Promise<void> {
  const at = 0x4000;
  const events = ['x', 'y'].map((axis) => ({ type: 'abs', data: { axis, value: at } }));
  await machine.qmp.execute('input-send-event', { events });
}

function rehearsalIdentity(warming: Warming): GuestIdentity {
  return {
    owner: 'rehearsal',
    boot: 0,
    version: 0,
    hostName: 'lebureau',
    machineId: randomBytes(16).toString('hex'),
    mac: '52:54:00:00:00:02',
    // Whatever is here is replaced in every clone before it is reported as running.
    sshHostKey: '',
    sshAuthorizedKey: '',
    clockMs: warming.clock.nowMs(),
    entropy: randomBytes(64).toString('base64'),
    timeZone: 'Etc/UTC',
    config: '{}',
  };
}
