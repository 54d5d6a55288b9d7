import { badParameters, died } from '../api/refusal.ts';
import type { Json } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes } from '../world/world.ts';
import { assertUnchanged } from '../firewall/digest.ts';
import { digestOf, isCdrom, parseDrive, realDisks } from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { enabledStorage, freeDiskName, parseVolume, volumeName } from '../vm/volumes.ts';

/** `move_vm_disk` of API2/Qemu.pm: to another storage, or to another VM. */
export const moveDiskRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/move_disk': (call) => {
    const { given } = call;
    const [storage, target] = [given.storage, given['target-vmid']];
    if (storage !== undefined && target !== undefined) {
      throw badBoth("either set 'storage' or 'target-vmid', but not both");
    }
    if (target !== undefined) return toVm(call, Number(target));
    if (storage !== undefined) return toStorage(call, String(storage));
    throw badBoth("both 'storage' and 'target-vmid' missing, either needs to be set");
  },
};

function badBoth(text: string): Error {
  return badParameters({ 'target-vmid': text, storage: text });
}

function toStorage(call: Call, storage: string): Json {
  const { world, caller, given } = call;
  world.permissions.check(caller, `/storage/${storage}`, ['Datastore.AllocateSpace']);
  checkMove(call, storage);
  return world.task(call, 'qmmove', (running) => {
    const waiting = { onWait: running.log, signal: running.signal };
    return world.locks.within(Number(given.vmid), () => move(call, storage, running), waiting);
  });
}

function checkMove(call: Call, storage: string): VmState {
  const { world, given } = call;
  const vm = world.vm(Number(given.vmid), call.node);
  const disk = String(given.disk);
  checkLock(vm);
  assertUnchanged(call, digestOf(vm));
  const raw = vm.config[disk];
  if (raw === undefined) throw died(`disk '${disk}' does not exist`);
  if (isCdrom(raw)) throw died("you can't move a cdrom");
  const { volume } = parseDrive(raw);
  const format = /\.(raw|qcow2|vmdk)$/.exec(volume)?.[1];
  const sameFormat = given.format === undefined || format === undefined || format === given.format;
  if (parseVolume(volume).storage === storage && sameFormat) {
    throw died("you can't move to the same storage with same format");
  }
  if (!enabledStorage(world, storage, call.node).content.includes('images')) {
    throw badParameters({ storage: `storage '${storage}' does not support vm images` });
  }
  if (given.delete === 1 && inSnapshot(vm, volume)) {
    throw died("you can't move a disk with snapshots and delete the source");
  }
  return vm;
}

function inSnapshot(vm: VmState, volume: string): boolean {
  return Object.values(vm.snapshots).some((config) =>
    realDisks(config).some(([, raw]) => parseDrive(raw).volume === volume),
  );
}

async function move(call: Call, storage: string, { log }: Running): Promise<void> {
  const { world, given } = call;
  const vm = checkMove(call, storage);
  const disk = String(given.disk);
  const { volume, options } = parseDrive(vm.config[disk] ?? '');
  if (inSnapshot(vm, volume)) log('moving disk with snapshots, snapshots will not be moved!');
  log(`create full clone of drive ${disk} (${volume})`);
  await world.pace.wait(400);
  const format = given.format === undefined ? undefined : String(given.format);
  const moved = volumeName(world, storage, { vmid: vm.vmid, name: freeDiskName(vm), format });
  vm.config[disk] = [moved, ...options].join(',');
  if (given.delete !== 1) vm.config[freeKey(vm)] = volume;
  world.save();
}

function freeKey(vm: VmState): string {
  const number = Array.from({ length: 256 }, (_, at) => at).find((at) => vm.config[`unused${at}`] === undefined);
  return `unused${number ?? 0}`;
}

function toVm(call: Call, target: number): Json {
  const { world, caller, given } = call;
  world.permissions.check(caller, `/vms/${target}`, ['VM.Config.Disk']);
  if (target === Number(given.vmid)) {
    throw badParameters({ 'target-vmid': 'must be different than source VMID to reassign disk' });
  }
  const { volume } = checkReassign(call, target);
  const path = `/storage/${parseVolume(volume).storage}`;
  world.permissions.check(caller, path, ['Datastore.AllocateSpace']);
  return world.task(call, 'qmmove', (running) => {
    const waiting = { onWait: running.log, signal: running.signal };
    const inside = () => world.locks.within(target, () => reassign(call, target, running), waiting);
    return world.locks.within(Number(given.vmid), inside, waiting);
  });
}

function checkReassign(call: Call, target: number): { source: VmState; to: VmState; volume: string } {
  const { world, given } = call;
  const disk = String(given.disk);
  const [source, to] = [world.state.vms[Number(given.vmid)], world.state.vms[target]];
  if (source === undefined) throw died(`could not find VM ${Number(given.vmid)}`);
  if (to === undefined) throw died(`could not find target VM ${target}`);
  if (source.node !== to.node) {
    throw died(`Both VMs need to be on the same node (${source.node} != ${to.node})`);
  }
  checkLock(source);
  checkLock(to);
  if (source.config.template === '1' || to.config.template === '1') {
    throw died("Can't move disks from or to template VMs");
  }
  const raw = source.config[disk];
  if (raw === undefined) throw died(`Disk '${disk}' for VM '${source.vmid}' does not exist`);
  const key = keyOf(call);
  if (to.config[key] !== undefined) throw died(`Target disk key '${key}' is already in use for VM '${target}'`);
  if (isCdrom(raw)) throw died("CD drive contents can't be moved to another VM");
  const { volume } = parseDrive(raw);
  if (inSnapshot(source, volume)) throw died("Can't move disk used by a snapshot to another VM");
  if (source.run && !disk.startsWith('unused')) {
    throw died('Cannot move disk to another VM while the source VM is running - detach first');
  }
  return { source, to, volume };
}

function keyOf({ given }: Call): string {
  return String(given['target-disk'] ?? given.disk);
}

async function reassign(call: Call, target: number, { log }: Running): Promise<void> {
  const { world, given } = call;
  const disk = String(given.disk);
  const { source, to, volume } = checkReassign(call, target);
  log(`moving disk '${disk}' from VM '${source.vmid}' to '${target}'`);
  await world.pace.wait(100);
  const format = /\.(raw|qcow2|vmdk)$/.exec(volume)?.[1];
  const { storage } = parseVolume(volume);
  const { options } = parseDrive(source.config[disk] ?? '');
  to.config[keyOf(call)] = [
    volumeName(world, storage, { vmid: target, name: freeDiskName(to), format }),
    ...options,
  ].join(',');
  delete source.config[disk];
  log(`removing disk '${disk}' from VM '${source.vmid}' config`);
  world.save();
}
