import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import { sealedCopy } from '../hypervisor/qemu/memory.ts';
import { runCommand } from './command.ts';
import type { WarmFile } from './files.ts';
import { giveToQemu, WarmMachine } from './warmMachine.ts';
import type { Warming } from './warming.ts';

const loadMaxMs = 60_000;
const answerMaxMs = 60_000;

export type WarmState = Omit<Warming, 'meter' | 'template'>;

/**
 * Starts one clone the way the driver does, in the folder `run`, which is made and removed.
 * @throws Fault `needs_operator` when it does not answer or shows nothing.
 */
export async function verifyWarmState(warming: WarmState, run: string): Promise<WarmFile['verified']> {
  const { folder, signal } = warming;
  await mkdir(run);
  const disk = join(run, 'disk.qcow2');
  const create = [
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    '-b',
    join(folder, 'disk.qcow2'),
    disk,
  ] as const;
  await runCommand([...create], { signal, timeoutMs: 30_000 });
  await giveToQemu([run, disk]);
  const state = openSync(join(folder, 'device-state'), 'r');
  const ram = await sealedCopy(join(folder, 'ram'));
  try {
    return await tryClone(warming, { run, state, ram });
  } finally {
    closeSync(state);
    closeSync(ram);
    await rm(run, { recursive: true, force: true });
  }
}

async function tryClone(
  warming: WarmState,
  clone: { run: string; state: number; ram: number },
): Promise<WarmFile['verified']> {
  const { paths, commandLine, size, host, clock } = warming;
  const startedMs = clock.monotonicMs();
  const since = () => Math.round(clock.monotonicMs() - startedMs);
  const machine = await WarmMachine.start({
    host,
    clock,
    run: clone.run,
    machine: {
      size,
      kernel: { vmlinux: paths.vmlinux, initrd: paths.initrd, commandLine },
      ram: { kind: 'private', path: '/proc/self/fd/4' },
      incoming: true,
    },
    inherited: [clone.state, clone.ram],
  });
  try {
    await load(machine);
    const runningMs = since();
    const health = await machine.init.health(answerMaxMs);
    const healthyMs = since();
    if (!health.displayUp || !health.windowManagerUp || health.identity !== undefined) {
      throw new Fault('needs_operator', `the warm clone is not as it should be: ${JSON.stringify(health)}`);
    }
    await machine.init.identify(verifierIdentity(clock.nowMs()), answerMaxMs);
    const identifiedMs = since();
    const result = await machine.init.exec({
      argv: ['true'],
      user: 'agent',
      timeoutMs: answerMaxMs,
      outputMaxBytes: 1024,
    });
    const firstCommandMs = since();
    if (result.exitCode !== 0) throw new Fault('needs_operator', 'the warm clone does not run commands');
    await requirePicture(machine, clone.run);
    return { runningMs, healthyMs, identifiedMs, firstCommandMs };
  } finally {
    await machine.end();
  }
}

async function load(machine: WarmMachine): Promise<void> {
  const capabilities = [
    { capability: 'x-ignore-shared', state: true },
    { capability: 'events', state: true },
  ];
  const loaded = machine.qmp.nextEvent(
    ({ event, data }) => event === 'MIGRATION' && (data.status === 'completed' || data.status === 'failed'),
    loadMaxMs,
  );
  const [, , event] = await Promise.all([
    machine.qmp.execute('migrate-set-capabilities', { capabilities }),
    machine.qmp.execute('migrate-incoming', { uri: 'fd:3' }),
    loaded,
  ]);
  if (event.data.status !== 'completed') throw new Fault('needs_operator', 'the saved devices could not be loaded');
  await machine.qmp.execute('cont');
}

/** A painted desktop has many colours; a dead one is black or shows text. */
async function requirePicture(machine: WarmMachine, run: string): Promise<void> {
  const coloursMin = 64;
  await machine.qmp.execute('screendump', { filename: 'screen.ppm' });
  const picture = await readFile(join(run, 'screen.ppm'));
  const colours = new Set<number>();
  for (let at = 64; at + 3 <= picture.length; at += 3 * 97) colours.add(picture.readUIntBE(at, 3));
  if (colours.size < coloursMin)
    throw new Fault('needs_operator', `the warm clone shows no desktop (${colours.size} colours)`);
}

function verifierIdentity(nowMs: number) {
  return {
    owner: 'verifier',
    boot: 1,
    version: 0,
    hostName: 'verifier',
    machineId: randomBytes(16).toString('hex'),
    mac: '52:54:00:00:00:03',
    sshHostKey: '',
    sshAuthorizedKey: '',
    clockMs: nowMs,
    entropy: randomBytes(64).toString('base64'),
    timeZone: 'Etc/UTC',
    config: '{}',
  };
}
