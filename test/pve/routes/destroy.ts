import { died, noConfig } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { parseDrive, realDisks } from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { refuseRootOnly } from '../vm/rootOnly.ts';
import { assertWritable } from '../vm/writable.ts';
import { isFileStorage, isLinkedTo, parseVolume, storageOf, volumesOf } from '../vm/volumes.ts';

export const destroyRoutes: Routes = {
  'DELETE /nodes/{node}/qemu/{vmid}': (call) => {
    refuseRootOnly(call, 'skiplock');
    const vm = call.world.vm(Number(call.given.vmid), call.node);
    if (vm.config.protection === '1') throw died(`can't remove VM ${vm.vmid} - protection mode enabled`);
    if (vm.run) throw died(`VM ${vm.vmid} is running - destroy failed`);
    return call.world.task(call, 'qmdestroy', (running) => destroy(call, vm, running));
  },
  'POST /nodes/{node}/qemu/{vmid}/template': (call) => {
    const vm = call.world.vm(Number(call.given.vmid), call.node);
    checkLock(vm);
    if (Object.keys(vm.snapshots).length > 0) throw died('unable to create template, because VM contains snapshots');
    const only = call.given.disk === undefined ? undefined : String(call.given.disk);
    if (vm.config.template === '1' && only === undefined) throw died("you can't convert a template to a template");
    if (vm.run) throw died("you can't convert a VM to template if VM is running");
    return call.world.task(call, 'qmtemplate', () => convert(call.world, vm, only));
  },
};

async function destroy(call: Call, vm: VmState, running: Running): Promise<void> {
  const { world } = call;
  const release = await world.locks.take(vm.vmid, { onWait: running.log, signal: running.signal });
  try {
    if (world.state.vms[vm.vmid] !== vm) throw noConfig(vm.vmid, call.node);
    checkLock(vm);
    assertWritable(world, vm);
    if (vm.run) throw died(`VM ${vm.vmid} is running - destroy failed`);
    await world.pace.wait(70);
    assertUnused(world, vm);
    await world.pace.wait(80);
    await world.machines.removeDisk(vm.vmid);
    for (const volume of volumesOf(vm.config)) delete world.state.volumes[volume];
    delete world.state.vms[vm.vmid];
    delete world.state.firewalls[`/vms/${vm.vmid}`];
    for (const pool of Object.values(world.state.pools)) pool.members = pool.members.filter((one) => one !== vm.vmid);
    world.state.acl = world.state.acl.filter((one) => one.path !== `/vms/${vm.vmid}`);
    if (call.given.purge === 1) running.log(`purging VM ${vm.vmid} from related configurations..`);
    world.save();
  } finally {
    release();
  }
}

/** Linked clones keep their template's disks alive. */
function assertUnused(world: World, vm: VmState): void {
  for (const base of volumesOf(vm.config)) {
    for (const other of Object.values(world.state.vms)) {
      if (other !== vm && volumesOf(other.config).some((volume) => isLinkedTo(volume, base))) {
        throw died(`base volume '${base}' is still in use by linked cloned`);
      }
    }
  }
}

/** It is a template from the first moment on; each of its disks becomes one after the other. */
async function convert(world: World, vm: VmState, only: string | undefined): Promise<void> {
  await world.pace.wait(50);
  await world.locks.within(vm.vmid, async () => {
    vm.config.template = '1';
    world.save();
    for (const [key, raw] of realDisks(vm.config)) {
      if (only !== undefined && key !== only) continue;
      await world.pace.wait(100);
      const { volume, options } = parseDrive(raw);
      const { storage } = parseVolume(volume);
      const renamed = isFileStorage(storageOf(world, storage))
        ? volume.replace(/\/vm-(\d+-disk-\d+\.[^./]+)$/, '/base-$1')
        : volume.replace(/vm-(\d+)-disk-(\d+)$/, 'base-$1-disk-$2');
      vm.config[key] = [renamed, ...options].join(',');
      world.save();
    }
  });
}
