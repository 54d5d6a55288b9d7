import { died } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { isCloudInit, parseDrive, realDisks } from './config.ts';
import { assertSpace, NoSpace, parseVolume, pathOf } from './volumes.ts';

/** What a storage without room does to VMs that are there already. The texts of the tools are theirs; none was recorded. */

const smallBytes = 65_536;

function hasRoom(world: World, volume: string, node: string): boolean {
  try {
    assertSpace(world, { storage: parseVolume(volume).storage, node }, smallBytes);
    return true;
  } catch (error) {
    if (error instanceof NoSpace) return false;
    throw error;
  }
}

/** A program that writes to this volume ends with an error. */
export function demandRoom(
  world: World,
  vm: VmState,
  what: { volume: string; command: string; log: (text: string) => void },
): void {
  if (hasRoom(world, what.volume, vm.node)) return;
  what.log(`qemu-img: ${pathOf(world, what.volume)}: No space left on device`);
  throw died(`command '${what.command}' failed: exit code 1`);
}

/** The image of cloud-init is written anew at every start. */
export function demandRoomToStart(world: World, vm: VmState, log: (text: string) => void): void {
  const drive = Object.values(vm.config).find((raw) => isCloudInit(raw));
  if (drive === undefined) return;
  const { volume } = parseDrive(drive);
  demandRoom(world, vm, { volume, command: `qemu-img dd -f raw -O qcow2 ${pathOf(world, volume)}`, log });
}

/** A guest that runs writes and finds no room: QEMU halts it and keeps its memory. */
export async function haltWhenFull(world: World, vm: VmState): Promise<void> {
  const volume = realDisks(vm.config).map(([, raw]) => parseDrive(raw).volume)[0];
  if (vm.run === null || volume === undefined || hasRoom(world, volume, vm.node)) return;
  await world.machines.pause(vm.vmid);
  Object.assign(vm.run, { paused: true, ioError: true });
}

/** It goes on, writes again, and halts again where there still is no room. */
export async function resumeHalted(world: World, vm: VmState): Promise<void> {
  if (vm.run?.ioError !== true) return;
  delete vm.run.ioError;
  await haltWhenFull(world, vm);
}
