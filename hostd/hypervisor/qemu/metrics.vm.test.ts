import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openInitChannel } from '../../guest/init/client.ts';
import { usedSince, type Used } from '../../metrics/usedSince.ts';
import type { VmMetrics } from '../driver.ts';
import { runCommand } from './command.ts';
import { openQemuDriver, type QemuDriver } from './driver.ts';
import { readBoot, vmPaths } from './files.ts';

/** What real guests do shows in the metrics of their machines, and in no other's. */

const templateHome = process.env['LEBUREAU_TEST_HOME'];
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? '(needs root)'
    : existsSync(templates)
      ? ''
      : '(LEBUREAU_TEST_HOME names no folder with a template)';

const world = 'lbtest-metrics';
const link = 'lbtest3';
const webAddress = '11.77.0.10';
const mib = 2 ** 20;
const home = skip ? '' : mkdtempSync('/var/tmp/lb-metrics-');
const refs = ['busy', 'idle'];
let driver: QemuDriver;
let answering: ChildProcess | undefined;

const web = `
Bun.serve({ hostname: '${webAddress}', port: 80, fetch: () => new Response(new Uint8Array(8 * ${mib})) });
console.log('ready');
`;

describe.skipIf(skip !== '')(`metrics of real machines ${skip}`, () => {
  beforeAll(async () => {
    await makeInternet();
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    driver = await openQemuDriver({ home, clock: systemClock, log: silentLog, namespacesReady: 1 });
    const warm = (await driver.facts()).templates.find((each) => each.warmSizes.includes('1x1024'));
    for (const [at, vmRef] of refs.entries()) {
      await driver.clone({
        vmRef,
        owner: `asg_${vmRef}`,
        templateId: warm?.id ?? '',
        vcpus: 1,
        memoryMiB: 1024,
        diskGiB: 8,
        network: 'internet',
      });
      await driver.start(vmRef, { boot: 1, mac: `52:54:00:12:35:0${at}` });
    }
    for (const vmRef of refs) await inGuest(vmRef, 'true');
    await systemClock.sleep(8_000);
  });

  afterAll(async () => {
    for (const vmRef of refs) await driver?.delete(vmRef, `asg_${vmRef}`).catch(() => {});
    await driver?.close();
    answering?.kill('SIGKILL');
    await removeInternet();
    rmSync(home, { recursive: true, force: true });
  });

  test('a loop shows as processor time of its own machine', async () => {
    const { busy, idle, overMs } = await during(() => inGuest('busy', 'timeout 6 sh -c "while :; do :; done"'));
    expect(busy.cpuMs! / overMs).toBeGreaterThan(0.25);
    expect(busy.cpuMs! / overMs).toBeLessThan(2);
    expect(idle.cpuMs!).toBeLessThan(busy.cpuMs! / 3);
  });

  test('a file that is written and read shows as disk, as the guest sees it', async () => {
    const before = await look('busy');
    const { busy, idle } = await during(() =>
      inGuest('busy', 'dd if=/dev/zero of=/home/agent/big bs=1M count=40 conv=fsync 2>&1'),
    );
    expect(busy.diskWrittenBytes!).toBeGreaterThan(40 * mib - 1);
    expect(busy.diskUsedKiB! - before.diskUsedKiB!).toBeGreaterThan(35 * 1024);
    expect(idle.diskWrittenBytes!).toBeLessThan(10 * mib);
    const read = await during(() =>
      inGuest('busy', 'echo 3 > /proc/sys/vm/drop_caches; cat /home/agent/big > /dev/null'),
    );
    expect(read.busy.diskReadBytes!).toBeGreaterThan(40 * mib - 1);
  });

  test('a download shows as network', async () => {
    const { busy, idle } = await during(async () => {
      expect(await inGuest('busy', `curl -sS --max-time 60 http://${webAddress}/ | wc -c`)).toContain(`${8 * mib}`);
    });
    expect(busy.networkReceivedBytes!).toBeGreaterThan(8 * mib);
    expect(busy.networkReceivedBytes!).toBeLessThan(12 * mib);
    expect(busy.networkSentBytes!).toBeLessThan(busy.networkReceivedBytes! / 4);
    expect(idle.networkReceivedBytes!).toBeLessThan(mib);
  });

  test('memory that is written is its own, what it shares with its template is not', async () => {
    const idle = await look('idle');
    expect(idle.memoryUsedKiB! - idle.memoryHostKiB!).toBeGreaterThan(50 * 1024);
    expect(idle.memoryUsedKiB!).toBeLessThan(1400 * 1024);
    const before = await look('busy');
    await inGuest('busy', 'dd if=/dev/zero of=/dev/shm/x bs=1M count=150 2>&1');
    const after = await look('busy');
    expect(after.memoryHostKiB! - before.memoryHostKiB!).toBeGreaterThan(50 * 1024);
  });

  test('a QEMU that hangs keeps nobody waiting, and says only what needs no answer of it', async () => {
    const record = await readBoot(vmPaths(home, 'idle').boot);
    const pid = (record as { process: { pid: number } }).process.pid;
    process.kill(pid, 'SIGSTOP');
    try {
      const beganMs = performance.now();
      const all = await driver.metrics();
      expect(performance.now() - beganMs).toBeLessThan(6_000);
      const of = (vmRef: string) => all.find((one) => one.vmRef === vmRef)!;
      expect(of('idle').cpuMs).toBeGreaterThan(0);
      expect(of('idle').diskReadBytes).toBeUndefined();
      expect(of('busy').diskReadBytes).toBeGreaterThan(0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('another start is another life, and what is off is not told of', async () => {
    const before = await look('idle');
    await driver.kill('idle');
    expect((await driver.metrics()).map((one) => one.vmRef)).toEqual(['busy']);
    await driver.start('idle', { boot: 2, mac: '52:54:00:12:35:01' });
    const after = await look('idle');
    expect(usedSince(before, after, 10_000)).toBeUndefined();
  });
});

async function look(vmRef: string): Promise<VmMetrics> {
  return (await driver.metrics()).find((one) => one.vmRef === vmRef)!;
}

async function during(work: () => Promise<unknown>): Promise<{ busy: Used; idle: Used; overMs: number }> {
  const before = [await look('busy'), await look('idle')];
  const beganMs = systemClock.monotonicMs();
  await work();
  const overMs = systemClock.monotonicMs() - beganMs;
  const [busy, idle] = await Promise.all(
    refs.map(async (vmRef, at) => usedSince(before[at], await look(vmRef), overMs)!),
  );
  return { busy: busy!, idle: idle!, overMs };
}

async function inGuest(vmRef: string, script: string): Promise<string> {
  const channel = openInitChannel(await driver.openInit(vmRef), systemClock);
  try {
    const argv = ['/bin/sh', '-c', script];
    const result = await channel.exec({ argv, user: 'root', timeoutMs: 120_000, outputMaxBytes: 65_536 });
    return Buffer.from(result.stdout).toString();
  } finally {
    channel.close();
  }
}

async function makeInternet(): Promise<void> {
  await removeInternet();
  const ip = (lines: string[], ...where: string[]) =>
    runCommand('ip', [...where, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  await ip([
    `netns add ${world}`,
    `link add ${link} type veth peer name eth0 netns ${world}`,
    `addr add 11.77.0.1/24 dev ${link}`,
    `link set ${link} up`,
  ]);
  const inside = ['link set lo up', 'link set eth0 up', `addr add ${webAddress}/24 dev eth0`];
  await ip([...inside, 'route add default via 11.77.0.1'], '-n', world);
  answering = spawn('ip', ['netns', 'exec', world, process.execPath, '-e', web], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => answering?.stdout?.once('data', resolve));
}

async function removeInternet(): Promise<void> {
  const stdin = `link del ${link}\nnetns del ${world}\n`;
  await runCommand('ip', ['-force', '-batch', '-'], { stdin }).catch(() => {});
}
