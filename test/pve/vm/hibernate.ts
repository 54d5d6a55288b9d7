import { died } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { World } from '../world/world.ts';
import { checkLock } from './lifecycle.ts';
import { assertWritable } from './writable.ts';
import { parseDrive, realDisks } from './config.ts';
import { parseVolume, pathOf, storageOf, isFileStorage } from './volumes.ts';

const MiB = 1024 ** 2;

/** What a saved memory state takes at most: twice the RAM and half a gigabyte. */
export function stateBytes(vm: VmState): number {
  return (Number(/\d+/.exec(vm.config.memory ?? '512')?.[0] ?? 512) * 2 + 500) * MiB;
}

/** Where memory goes: what the config says, or the storage of the first disk. */
export function stateStorage(world: World, vm: VmState): string {
  const first = realDisks(vm.config)[0];
  const fallback = Object.keys(world.state.storages)[0] ?? 'local';
  return vm.config.vmstatestorage ?? (first ? parseVolume(parseDrive(first[1]).volume).storage : fallback);
}

/** @returns the name of the volume. */
export function allocateState(
  world: World,
  vm: VmState,
  one: { suffix: string; storage?: string; log: (text: string) => void },
): string {
  const storage = one.storage ?? stateStorage(world, vm);
  const name = `vm-${vm.vmid}-state-${one.suffix}`;
  const volume = isFileStorage(storageOf(world, storage)) ? `${storage}:${vm.vmid}/${name}.raw` : `${storage}:${name}`;
  one.log(`Formatting '${pathOf(world, volume)}', fmt=raw size=${stateBytes(vm)} preallocation=off`);
  return volume;
}

export function runningFacts(world: World): Record<string, string> {
  return {
    runningmachine: world.facts.machine,
    runningcpu: 'qemu64',
    ...(world.facts.hostMtu ? { 'running-nets-host-mtu': 'net0=0' } : {}),
  };
}

/** `suspend todisk=1`: memory to the storage, then QEMU ends and the VM stays locked. */
export async function hibernate(
  world: World,
  vm: VmState,
  { running, storage }: { running: Running; storage: string },
): Promise<void> {
  const date = new Date(world.clock.nowMs()).toISOString().slice(0, 10);
  let volume = '';
  await world.locks.within(vm.vmid, () => {
    if (vm.config.lock === 'backup') throw died('cannot suspend to disk during backup');
    checkLock(vm);
    assertWritable(world, vm);
    vm.config.lock = 'suspending';
    volume = allocateState(world, vm, { suffix: `suspend-${date}`, storage, log: running.log });
  });
  try {
    await world.pace.wait(world.facts.suspendMs);
    await world.machines.saveMemory(vm.vmid, volume);
  } catch (error) {
    delete vm.config.lock;
    throw error;
  }
  await world.machines.stop(vm.vmid);
  running.log('State saved, quitting');
  world.stopped(vm);
  Object.assign(vm.config, { lock: 'suspended', vmstate: volume, ...runningFacts(world) });
  world.save();
}
