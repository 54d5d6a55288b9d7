import type { VmSeen } from '../driver.ts';
import { processesOfBlock, uidOf, vmRefOfProcess, type Engine } from './engine.ts';
import { isVmRef, readMarker, vmPaths, vmRefsIn } from './files.ts';
import { killProcess, type ProcessSeen } from './process.ts';

/** Slots that markers of VMs name. */
export async function slotsInUse(engine: Engine): Promise<Set<number>> {
  const slots = new Set<number>();
  for (const vmRef of vmRefsIn(engine.home)) {
    const marker = await readMarker(vmPaths(engine.home, vmRef).marker);
    if (marker !== undefined && marker !== 'damaged') slots.add(marker.slot);
  }
  return slots;
}

/** Processes in our range of uids that belong to no folder, under the name they go by. */
export async function straysOf(engine: Engine): Promise<VmSeen[]> {
  const found = await strayProcesses(engine);
  return [...found.keys()].map((vmRef) => ({ vmRef, complete: false, power: 'running', boot: 0 }));
}

export async function endStrays(engine: Engine, vmRef: string): Promise<void> {
  for (const each of (await strayProcesses(engine)).get(vmRef) ?? []) {
    await killProcess(each.identity, engine.clock, 10_000);
    await engine.network.release(engine.network.slotOf(each.uid));
  }
}

/** A process may lie in its arguments, so a name that a folder holds is not believed. */
async function strayProcesses(engine: Engine): Promise<Map<string, ProcessSeen[]>> {
  const uids = new Set([...(await slotsInUse(engine))].map((slot) => uidOf(engine, slot)));
  const refs = new Set(vmRefsIn(engine.home));
  const found = new Map<string, ProcessSeen[]>();
  for (const each of processesOfBlock(engine)) {
    if (uids.has(each.uid)) continue;
    const named = vmRefOfProcess(engine, each);
    const vmRef = named !== undefined && isVmRef(named) && !refs.has(named) ? named : `stray-${each.identity.pid}`;
    found.set(vmRef, [...(found.get(vmRef) ?? []), each]);
  }
  return found;
}
