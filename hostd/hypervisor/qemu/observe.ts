import { existsSync } from 'node:fs';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { VmSeen } from '../driver.ts';
import { controlTarget, processesOfVm, type Engine, type VmFolder } from './engine.ts';
import { readBoot, writeJson, type BootRecord } from './files.ts';
import { isAlive, killProcess, waitUntilGone, type ProcessIdentity } from './process.ts';
import { limitLog } from './qemuLog.ts';
import { diskFullTrouble } from './resume.ts';

/** What is seen of one VM besides its name and owner. */
type Sight = Omit<VmSeen, 'vmRef' | 'owner' | 'complete' | 'address'>;

const statusTimeoutMs = 5000;
const quitTimeoutMs = 3000;

/** Looks at a VM whose marker was read. A guest that powered itself off is put to rest on the way. */
export async function seeVm(engine: Engine, vm: VmFolder): Promise<VmSeen> {
  const { vmRef, owner } = vm.marker.spec;
  const complete = existsSync(vm.paths.run);
  if (!complete) return { vmRef, owner, complete, power: 'off', boot: 0 };
  limitLog(vm.paths.log);
  const seen = await sight(engine, vm);
  const address = engine.network.isolated ? engine.network.address(vm.marker.slot).guestAddress : undefined;
  return { vmRef, owner, complete, ...seen, ...(seen.power === 'running' ? { address } : {}) };
}

async function sight(engine: Engine, vm: VmFolder): Promise<Sight> {
  const record = await readBoot(vm.paths.boot);
  if (record === undefined) return { power: 'off', boot: 0 };
  if (record === 'damaged') return damagedSight(processesOfVm(engine, vm).length);
  const process = livingProcess(engine, vm, record);
  if (!process) return offSight(record, record.offBecause ?? 'crashed');
  const status = await guestStatus(engine, vm, process);
  if (record.phase === 'starting') return startingSight(vm, record, { ...status, process });
  return startedSight(engine, vm, { record, process, status });
}

/** Without a process it is off, and the next start is a cold one. A process that nothing is known of is not adopted. */
export function damagedSight(processes: number): Sight {
  if (processes === 0) return { power: 'off', boot: 0 };
  return { power: 'broken', boot: 0, trouble: 'Its boot.json is damaged.' };
}

/** The process of the last start, by its record or, when hostd died before writing that, by its uid. */
export function livingProcess(engine: Engine, vm: VmFolder, record: BootRecord): ProcessIdentity | undefined {
  if (record.process) return isAlive(record.process) ? record.process : undefined;
  return processesOfVm(engine, vm)[0]?.identity;
}

export interface GuestStatus {
  /** A run state of QEMU, or undefined when it does not answer. */
  word?: string;
  trouble?: string;
}

export async function guestStatus(engine: Engine, vm: VmFolder, process: ProcessIdentity): Promise<GuestStatus> {
  try {
    const qmp = await engine.controls.of(controlTarget(engine, vm, process));
    const answer = (await qmp.execute('query-status', undefined, statusTimeoutMs)) as { status?: unknown };
    return { word: String(answer.status) };
  } catch (error) {
    return { trouble: `QEMU does not answer (${describeError(error)}).` };
  }
}

function offSight(record: BootRecord, because: NonNullable<VmSeen['offBecause']>): Sight {
  const boot = record.phase === 'starting' ? record.formerBoot : record.boot;
  return boot === 0 ? { power: 'off', boot } : { power: 'off', boot, startMode: record.startMode, offBecause: because };
}

/** hostd died in the middle of a start. A guest that got to run is adopted, any other start is done again. */
async function startingSight(
  vm: VmFolder,
  record: BootRecord,
  seen: GuestStatus & { process: ProcessIdentity },
): Promise<Sight> {
  if (seen.word !== 'running') return offSight(record, record.offBecause ?? 'requested');
  const started: BootRecord = { ...record, phase: 'started', process: seen.process, offBecause: undefined };
  await writeJson(vm.paths.boot, started, { durable: false });
  return { power: 'running', boot: record.boot, startMode: record.startMode };
}

async function startedSight(
  engine: Engine,
  vm: VmFolder,
  seen: { record: BootRecord; process: ProcessIdentity; status: GuestStatus },
): Promise<Sight> {
  const { record, process, status } = seen;
  const common = { boot: record.boot, startMode: record.startMode };
  switch (status.word) {
    case undefined:
      if (!isAlive(process)) return offSight(record, 'crashed');
      return { power: 'broken', ...common, trouble: status.trouble };
    case 'running':
      return { power: 'running', ...common };
    case 'shutdown': {
      const because = record.offBecause ?? (record.stopRequested ? 'requested' : 'guest');
      // Until the reason is written down, the stopped process is what remembers it.
      if (await noteBoot(engine, vm, { ...record, offBecause: because })) await endProcess(engine, vm, process);
      return offSight(record, because);
    }
    case 'io-error':
      return { power: 'paused', ...common, trouble: diskFullTrouble };
    case 'internal-error':
    case 'guest-panicked':
      return { power: 'broken', ...common, trouble: `The guest is halted: ${status.word}.` };
    default:
      return { power: 'paused', ...common };
  }
}

/** Writes what became of a boot. A full disk must not keep a VM from being looked at or killed. @returns whether it worked. */
export async function noteBoot(engine: Engine, vm: VmFolder, record: BootRecord): Promise<boolean> {
  try {
    await writeJson(vm.paths.boot, record, { durable: true });
    return true;
  } catch (error) {
    engine.log.warn('boot record was not written', { vmRef: vm.marker.spec.vmRef, error: describeError(error) });
    return false;
  }
}

/** Ends one QEMU: asked first, so that it writes back what it holds, and killed when it does not listen. */
export async function endProcess(engine: Engine, vm: VmFolder, process: ProcessIdentity): Promise<void> {
  try {
    const qmp = await engine.controls.of({ ...controlTarget(engine, vm, process), timeoutMs: 500 });
    await qmp.execute('quit', undefined, quitTimeoutMs);
    await waitUntilGone(process, engine.clock, quitTimeoutMs);
  } catch {
    // It does not listen, or it ended before it could answer.
  }
  await engine.controls.close(vm.marker.spec.vmRef);
  if (!(await killProcess(process, engine.clock, 10_000))) {
    throw new Fault('hypervisor_failed', 'a QEMU process could not be killed');
  }
}

/** Ends everything that runs for this VM, whether written down or not. */
export async function endAllProcesses(engine: Engine, vm: VmFolder): Promise<void> {
  const record = await readBoot(vm.paths.boot);
  const written = record && record !== 'damaged' ? record.process : undefined;
  if (written && isAlive(written)) await endProcess(engine, vm, written);
  for (const each of processesOfVm(engine, vm)) await endProcess(engine, vm, each.identity);
}
