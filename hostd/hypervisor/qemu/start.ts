import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { describeError, Fault, isFault } from '@lebureau/kit/fault';
import type { StartOptions } from '../driver.ts';
import { asDiskFault, controlTarget, diskFreeMiB, processName, uidOf, type Engine, type VmFolder } from './engine.ts';
import { readBoot, runNames, writeJson, type BootRecord } from './files.ts';
import { withoutOwnNetwork } from '../withoutOwnNetwork.ts';
import { inheritedDeviceState, inheritedRam, inheritedTap, launchQemu } from './launch.ts';
import { machineArguments, type MachineOptions } from './machine.ts';
import { endAllProcesses, endProcess, guestStatus, livingProcess, noteBoot } from './observe.ts';
import type { ProcessIdentity } from './process.ts';
import type { Qmp } from './qmp.ts';
import { lastWords } from './qemuLog.ts';
import { resumeGuest } from './resume.ts';
import type { Template, WarmState } from './templates.ts';

const controlTimeoutMs = 15_000;
const loadTimeoutMs = 30_000;

interface StartPlan {
  template: Template;
  warm?: WarmState;
  /** Descriptor of the sealed RAM. */
  ram?: number;
}

/** Starts a VM that is off. What the former start left behind is ended first. */
export async function startVm(engine: Engine, vm: VmFolder, start: StartOptions): Promise<void> {
  const read = await readBoot(vm.paths.boot);
  const former = read === 'damaged' ? unknownBoot(start) : read;
  if (read === 'damaged') await endAllProcesses(engine, vm);
  else if (former && (await alreadyRuns(engine, vm, { former, start }))) return;
  requireMemory(vm);
  const [plan] = await Promise.all([planStart(engine, vm, former), engine.network.ensure(vm.marker.slot)]);
  const formerBoot = former ? (former.phase === 'started' ? former.boot : former.formerBoot) : 0;
  const record = { boot: start.boot, mac: start.mac, formerBoot, offBecause: former?.offBecause };
  const progress = { guestMayHaveRun: false };
  try {
    await runWarmOrCold(engine, vm, { plan, record, progress });
  } catch (error) {
    await endAllProcesses(engine, vm);
    // A guest that never ran left its disk untouched: the next try may be a warm one again.
    if (former) await noteBoot(engine, vm, former);
    else if (!progress.guestMayHaveRun) await rm(vm.paths.boot, { force: true });
    throw asDiskFault(error);
  }
}

/** In place of a record that cannot be read. Its guest may have written to the disk, so no warm state fits any more. */
function unknownBoot(start: StartOptions): BootRecord {
  return { boot: 0, formerBoot: 0, mac: start.mac, startMode: 'cold', phase: 'started' };
}

type NewBoot = Omit<BootRecord, 'startMode' | 'phase'>;

interface Progress {
  guestMayHaveRun: boolean;
}

/** A warm state that does not load must not keep a desktop from starting at all. */
async function runWarmOrCold(
  engine: Engine,
  vm: VmFolder,
  given: { plan: StartPlan; record: NewBoot; progress: Progress },
): Promise<void> {
  const { plan, record, progress } = given;
  if (plan.warm) {
    try {
      return await run(engine, vm, { plan, progress, record: { ...record, startMode: 'warm', phase: 'starting' } });
    } catch (error) {
      const { vmRef } = vm.marker.spec;
      engine.log.warn('warm state was not loaded, starting cold', { vmRef, error: describeError(error) });
    }
  }
  const cold: StartPlan = { template: plan.template };
  await run(engine, vm, { plan: cold, progress, record: { ...record, startMode: 'cold', phase: 'starting' } });
}

async function alreadyRuns(
  engine: Engine,
  vm: VmFolder,
  given: { former: BootRecord; start: StartOptions },
): Promise<boolean> {
  const { former, start } = given;
  const process = livingProcess(engine, vm, former);
  if (!process) return false;
  const { word } = await guestStatus(engine, vm, process);
  const sameBoot = former.boot === start.boot;
  if (word === 'running' && !sameBoot) throw new Fault('hypervisor_failed', `VM ${vm.marker.spec.vmRef} runs already`);
  const isHalted = word !== undefined && sameBoot && former.phase === 'started';
  const runs = word === 'running' || (isHalted && (await goOn(engine, vm, { process, word })));
  if (!runs) {
    await endAllProcesses(engine, vm);
    return false;
  }
  if (former.phase === 'starting')
    await writeJson(vm.paths.boot, { ...former, phase: 'started', process }, { durable: false });
  return true;
}

/** A guest that only halted keeps its memory; it is cut when it cannot go on. */
async function goOn(engine: Engine, vm: VmFolder, seen: { process: ProcessIdentity; word: string }): Promise<boolean> {
  const { clock, diskReserveMiB } = engine;
  try {
    const qmp = await engine.controls.of(controlTarget(engine, vm, seen.process));
    return await resumeGuest(qmp, { word: seen.word, clock, diskReserveMiB, diskFreeMiB: () => diskFreeMiB(engine) });
  } catch (error) {
    if (isFault(error, 'disk_full')) throw error;
    engine.log.warn('guest did not go on', { vmRef: vm.marker.spec.vmRef, ...seen, error: describeError(error) });
    return false;
  }
}

/** Only a disk that no guest ever wrote to fits the memory of its warm state. */
async function planStart(engine: Engine, vm: VmFolder, former: BootRecord | undefined): Promise<StartPlan> {
  const { spec, warmKey } = vm.marker;
  const template = await engine.shelf.template(spec.templateId);
  if (former || warmKey === undefined || !engine.shelf.fits(template, spec, warmKey)) return { template };
  const warm = await engine.shelf.warmStateByKey(template, warmKey);
  if (!warm) return { template };
  try {
    return { template, warm, ram: await engine.shelf.memory(warm) };
  } catch (error) {
    engine.log.warn('memory of a warm state was not loaded', { warmKey, error: describeError(error) });
    return { template };
  }
}

async function run(
  engine: Engine,
  vm: VmFolder,
  given: { plan: StartPlan; record: BootRecord; progress: Progress },
): Promise<void> {
  // Written while QEMU comes up; it must be durable before the guest may write to its disk.
  const written = writeJson(vm.paths.boot, given.record, { durable: true });
  try {
    await bringUp(engine, vm, { ...given, written });
  } finally {
    await written.catch(() => {}); // no write of this start may come after what the next step writes
  }
}

async function bringUp(
  engine: Engine,
  vm: VmFolder,
  given: { plan: StartPlan; record: BootRecord; progress: Progress; written: Promise<void> },
): Promise<void> {
  const { plan, record, progress, written } = given;
  const beganMs = engine.clock.monotonicMs();
  const sinceMs = () => Math.round(engine.clock.monotonicMs() - beganMs);
  const tap = await engine.openTap?.(vm.marker.spec.vmRef);
  const process = launch(engine, vm, { ...given, tap });
  const times: Record<string, number> = { launchedMs: sinceMs() };
  try {
    const qmp = await engine.controls.of({ ...controlTarget(engine, vm, process), timeoutMs: controlTimeoutMs });
    times['controlMs'] = sinceMs();
    if (plan.warm) await loadWarmState(qmp);
    times['loadedMs'] = sinceMs();
    await written;
    progress.guestMayHaveRun = true;
    await qmp.execute('cont');
    if (plan.warm) await announceDiskSize(qmp, vm, plan);
  } catch (error) {
    await endProcess(engine, vm, process);
    if (asDiskFault(error) !== error) throw error;
    throw new Fault('hypervisor_failed', `QEMU did not start the guest: ${lastWords(vm.paths.log)}`, { cause: error });
  }
  const started: BootRecord = { ...record, phase: 'started', process, offBecause: undefined };
  await writeJson(vm.paths.boot, started, { durable: false });
  const { vmRef } = vm.marker.spec;
  engine.log.info('VM was started', { vmRef, startMode: record.startMode, ...times, runningMs: sinceMs() });
}

function launch(
  engine: Engine,
  vm: VmFolder,
  given: { plan: StartPlan; record: BootRecord; tap?: number },
): ProcessIdentity {
  const { plan, record, tap } = given;
  const { spec, slot } = vm.marker;
  const argv = machineArguments({
    name: processName(engine, spec.vmRef),
    size: { vcpus: spec.vcpus, memoryMiB: spec.memoryMiB },
    accelerator: engine.host.accelerator,
    ram: plan.warm ? { kind: 'private', path: `/proc/self/fd/${inheritedRam}` } : { kind: 'anonymous' },
    ...wiring(engine, vm, { plan, tap }),
    disk: runNames.disk,
    mac: record.mac,
    sockets: { qmp: runNames.qmp, vnc: runNames.vnc, init: runNames.init, agent: runNames.agent },
    incoming: plan.warm !== undefined,
  });
  return launchQemu({
    // A cold machine waits for `cont`, too: nothing of it may run before its start is written down.
    argv: plan.warm ? argv : [...argv, '-S'],
    run: vm.paths.run,
    log: vm.paths.log,
    confinement: {
      uid: uidOf(engine, slot),
      groups: engine.host.accelerator === 'kvm' ? [statSync('/dev/kvm').gid] : [],
      namespace: engine.network.isolated ? engine.network.namespacePath(slot) : undefined,
      resolvFile: engine.network.isolated ? engine.network.resolvFile : undefined,
    },
    warm: plan.warm && plan.ram !== undefined ? { deviceState: plan.warm.deviceState, ram: plan.ram } : undefined,
    tap,
    onExit: () => engine.controls.changed(spec.vmRef),
  });
}

/** A guest that boots behind another's network is not told of the address it would have behind QEMU's own. */
function wiring(
  engine: Engine,
  vm: VmFolder,
  given: { plan: StartPlan; tap?: number },
): Pick<MachineOptions, 'kernel' | 'network'> {
  const { kernel } = given.plan.template;
  const isClosed = vm.marker.spec.network === 'none' || !engine.network.isolated;
  if (given.tap === undefined) return { kernel, network: { restrict: isClosed, forwards: [] } };
  return {
    kernel: { ...kernel, commandLine: withoutOwnNetwork(kernel.commandLine) },
    network: { tap: inheritedTap },
  };
}

/** All commands go out together; the guest is paused when its devices are back. */
async function loadWarmState(qmp: Qmp): Promise<void> {
  const capabilities = [
    { capability: 'x-ignore-shared', state: true },
    { capability: 'events', state: true },
  ];
  const loaded = qmp.nextEvent(
    ({ event, data }) => event === 'MIGRATION' && (data.status === 'completed' || data.status === 'failed'),
    loadTimeoutMs,
  );
  const [, , event] = await Promise.all([
    qmp.execute('migrate-set-capabilities', { capabilities }),
    qmp.execute('migrate-incoming', { uri: `fd:${inheritedDeviceState}` }),
    loaded,
  ]);
  if (event.data.status !== 'completed') throw new Fault('hypervisor_failed', 'the saved devices could not be loaded');
}

/** A guest that wakes up knows the size its disk had when it fell asleep. */
async function announceDiskSize(qmp: Qmp, vm: VmFolder, plan: StartPlan): Promise<void> {
  const bytes = vm.marker.spec.diskGiB * 2 ** 30;
  if (bytes <= plan.template.virtualBytes) return;
  await qmp.execute('block_resize', { device: 'disk0', size: bytes });
}

/** Memory that guests touch comes slowly, so this is a last line; the API counts what it promised. */
function requireMemory(vm: VmFolder): void {
  const available = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) / 1024;
  const wanted = 200 + vm.marker.spec.memoryMiB / 4;
  if (available < wanted) throw new Fault('memory_full', `this node has ${Math.floor(available)} MiB of memory left`);
}
