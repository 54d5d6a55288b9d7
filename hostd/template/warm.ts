import { chmod, chown, mkdir, open, rename, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { syncFolder } from '../hypervisor/qemu/files.ts';
import { probeHost, type HypervisorHost } from '../hypervisor/qemu/host.ts';
import { guestCommandLine, warmKey, type MachineSize } from '../hypervisor/qemu/machine.ts';
import { readTemplateFile } from './chooseSuite.ts';
import { runCommand } from './command.ts';
import { templatePaths, type WarmFile } from './files.ts';
import { takeLock } from './lock.ts';
import { ProgressMeter, type ProgressListener } from './progress.ts';
import { rehearse } from './rehearse.ts';
import { keepDevices, saveDevices, savingFolder } from './saveDevices.ts';
import { takeBack } from './takeBack.ts';
import { verifyWarmState } from './verify.ts';
import { giveToQemu, WarmMachine } from './warmMachine.ts';
import type { Warming } from './warming.ts';

export interface WarmOptions {
  home: string;
  templateId: string;
  size: MachineSize;
  /** Left out: probed. */
  host?: HypervisorHost;
  onProgress?: ProgressListener;
  signal?: AbortSignal;
  clock?: Clock;
}

const stages = [
  { name: 'starting the desktop', share: 70 },
  { name: 'warming programs', share: 60 },
  { name: 'saving memory', share: 8 },
  { name: 'verifying', share: 6 },
] as const;

const dropMaxMs = 120_000;

/**
 * Boots the template once, waits until the desktop is at rest, and keeps memory, devices and disk as they are then.
 * The state gets its name only after a clone of it answered. Present already: costs a look.
 * @returns the warm key.
 */
export async function warmTemplate(options: WarmOptions): Promise<string> {
  const { home, templateId, size, signal = new AbortController().signal, clock = systemClock } = options;
  const template = await readTemplateFile(home, templateId);
  if (!template) throw new Fault('template_missing', `template ${templateId} is not on this node`);
  const paths = templatePaths(home, templateId);
  const kernel = { vmlinux: paths.vmlinux, initrd: paths.initrd };
  const host = options.host ?? (await probeHost({ kernel, memory: join(home, 'kvm.json') }));
  const commandLine = guestCommandLine(template.kernelArgs, host.accelerator);
  const { accelerator, qemuVersion, hostCpu } = host;
  const key = warmKey({ templateId, size, accelerator, qemuVersion, hostCpu, commandLine });
  const target = join(paths.warm, key);
  if (await isThere(join(target, 'warm.json'))) return key;
  await requireRoom(paths.warm, size);
  const folder = join(paths.warm, `.making-${key}`);
  const release = takeLock(join(paths.warm, `.lock-${key}`));
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o755 });
    const meter = new ProgressMeter(stages, clock, options.onProgress ?? (() => {}));
    await make({ template, paths, folder, commandLine, size, host, clock, meter, signal });
    signal.throwIfAborted();
    await rename(folder, target);
    await syncFolder(paths.warm);
    return key;
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(savingFolder(folder), { recursive: true, force: true });
    release();
  }
}

async function make(warming: Warming): Promise<void> {
  const { folder, size, signal, meter } = warming;
  meter.enter('starting the desktop');
  const ram = join(folder, 'ram');
  const disk = join(folder, 'disk.qcow2');
  await writeFile(ram, '');
  await truncate(ram, size.memoryMiB * 2 ** 20);
  const create = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', '../../disk.qcow2', disk] as const;
  await runCommand([...create], { signal, timeoutMs: 30_000 });
  await giveToQemu([folder, ram, disk]);
  await boot(warming, ram);
  await takeBack(folder, ['ram', 'disk.qcow2']);
  await keepDevices(folder);
  await runCommand(['fallocate', '--dig-holes', ram], { signal, timeoutMs: dropMaxMs });
  meter.enter('verifying');
  const verified = await verifyWarmState(warming, join(folder, 'verify'));
  await keep(warming, verified);
}

async function boot(warming: Warming, ram: string): Promise<void> {
  const { paths, folder, commandLine, size, host, clock, meter, signal } = warming;
  const machine = await WarmMachine.start({
    host,
    clock,
    run: folder,
    machine: {
      size,
      kernel: { vmlinux: paths.vmlinux, initrd: paths.initrd, commandLine },
      ram: { kind: 'shared', path: ram },
      incoming: false,
    },
  });
  const abort = () => machine.process.kill('SIGKILL');
  signal.addEventListener('abort', abort, { once: true });
  try {
    await rehearse(machine, warming);
    meter.enter('saving memory');
    await saveDevices(machine, folder);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    await machine.end();
  }
}

/** From here on nobody may write to it: a changed byte of the RAM file would crash every clone. */
async function keep(warming: Warming, verified: WarmFile['verified']): Promise<void> {
  const { folder, size, host, commandLine, clock } = warming;
  const file: WarmFile = {
    version: 1,
    size: { vcpus: size.vcpus, memoryMiB: size.memoryMiB },
    accelerator: host.accelerator,
    qemuVersion: host.qemuVersion,
    commandLine,
    warmedAtMs: clock.nowMs(),
    verified,
  };
  await writeFile(join(folder, 'warm.json'), `${JSON.stringify(file, undefined, 2)}\n`, { flag: 'wx' });
  for (const name of ['qmp.sock', 'vnc.sock', 'init.sock', 'agent.sock', 'qemu.log'])
    await rm(join(folder, name), { force: true });
  for (const name of ['warm.json', 'disk.qcow2', 'ram', 'device-state']) {
    const path = join(folder, name);
    if (process.getuid?.() === 0) await chown(path, 0, 0);
    await chmod(path, 0o444);
    const handle = await open(path, 'r');
    await handle.sync();
    await handle.close();
  }
  await syncFolder(folder);
}

async function isThere(path: string): Promise<boolean> {
  return Bun.file(path).exists();
}

async function requireRoom(folder: string, size: MachineSize): Promise<void> {
  const room = await statfs(folder);
  const freeMiB = (room.bavail * room.bsize) / 2 ** 20;
  const wantedMiB = size.memoryMiB + 1024;
  if (freeMiB < wantedMiB) {
    throw new Fault(
      'disk_full',
      `warming this size needs ${wantedMiB} MiB below ${folder}, and ${Math.floor(freeMiB)} MiB are free: make room, or name another folder in LEBUREAU_HOME`,
    );
  }
}
