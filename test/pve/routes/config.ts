import { died } from '../api/refusal.ts';
import type { Json } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes } from '../world/world.ts';
import { applyChange, checkBalloon, type Change } from '../vm/changes.ts';
import { digestOf, diskKey, driveSize, isCdrom, isCloudInit, parseDrive, sizeBytes, sizeText } from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { demandRoom } from '../vm/room.ts';
import { checkBridges, checkDeviceRights } from '../vm/optionRights.ts';
import { refuseRootOnly } from '../vm/rootOnly.ts';
import { parseVolume, pathOf } from '../vm/volumes.ts';
import { changeOf } from '../vm/wanted.ts';
import { assertWritable } from '../vm/writable.ts';

export const configRoutes: Routes = {
  'PUT /nodes/{node}/qemu/{vmid}/config': change,
  'POST /nodes/{node}/qemu/{vmid}/config': changeInTask,
  'PUT /nodes/{node}/qemu/{vmid}/unlink': (call) =>
    change({
      ...call,
      given: {
        node: call.node,
        vmid: call.given.vmid ?? null,
        delete: call.given.idlist ?? '',
        force: call.given.force ?? 0,
      },
    }),
  'PUT /nodes/{node}/qemu/{vmid}/resize': (call) => {
    refuseRootOnly(call, 'skiplock');
    return call.world.task(call, 'resize', (running) => {
      const waiting = { onWait: running.log, signal: running.signal };
      return call.world.locks.within(Number(call.given.vmid), () => resize(call, running.log), waiting);
    });
  },
  'PUT /nodes/{node}/qemu/{vmid}/cloudinit': async (call) => {
    await call.world.locks.within(Number(call.given.vmid), () => checkLock(find(call)));
    return null;
  },
};

async function change(call: Call): Promise<Json> {
  const wanted = changeOf(call);
  if (call.world.facts.configCheckedEarly) ready(call, wanted);
  await call.world.locks.within(Number(call.given.vmid), () => apply(call, wanted, () => {}));
  return null;
}

async function changeInTask(call: Call): Promise<Json> {
  const upid = await startChange(call);
  return call.given.background_delay === undefined ? upid : waited(call, upid);
}

/** Who asks for it waits for the task: nothing is told when it ended well, its UPID when it has not ended. */
async function waited({ world, given }: Call, upid: string): Promise<Json> {
  const ended = () => world.state.tasks[upid]?.exitstatus;
  for (let tries = Number(given.background_delay) * 10; ended() === undefined && tries > 0; tries--) {
    await world.pace.wait(100);
  }
  const status = ended();
  if (status === undefined || status === 'OK') return status === undefined ? upid : null;
  throw died(`failed to update VM ${String(given.vmid)}: ${status}`);
}

function startChange(call: Call): string | Promise<string> {
  const { world, given } = call;
  const wanted = changeOf(call);
  const vmid = Number(given.vmid);
  const start = (inside: (work: () => void) => Promise<void>) =>
    world.task(call, 'qmconfig', async (running) => {
      running.log(`update VM ${vmid}: ${shown(given)}`);
      await world.pace.wait(140);
      await inside(() => apply(call, wanted, running.log));
    });
  if (!world.facts.configCheckedEarly) {
    return world.locks.within(vmid, () => {
      ready(call, wanted);
      return start(async (work) => work());
    });
  }
  ready(call, wanted);
  return start((work) => world.locks.within(vmid, work));
}

function shown(given: Call['given']): string {
  const skipped = new Set(['node', 'vmid', 'digest', 'background_delay', 'import-working-storage']);
  const names = Object.keys(given)
    .filter((name) => !skipped.has(name))
    .toSorted();
  return names.map((name) => `-${name} ${name === 'cipassword' ? '<hidden>' : String(given[name])}`).join(' ');
}

function find(call: Call): VmState {
  return call.world.vm(Number(call.given.vmid), call.node);
}

/** Looked at with the config in hand: digest, lock, and what single devices need of the caller. */
function ready(call: Call, wanted: Change): VmState {
  const vm = find(call);
  checkDigest(call, vm);
  // A hibernated VM may lose its saved memory, and its lock with it.
  const forgets = wanted.remove.includes('vmstate') && vm.config.lock === 'suspended';
  if (!forgets) checkLock(vm);
  checkBalloon(vm, wanted);
  return vm;
}

/** The worker's part: warnings go to its log. */
function apply(call: Call, wanted: Change, log: (text: string) => void): void {
  const { world, caller } = call;
  const vm = ready(call, wanted);
  const who = { caller, vmid: vm.vmid };
  for (const option of wanted.remove) {
    const value = vm.config[option] ?? vm.pending[option];
    if (value === undefined) log(`cannot delete '${option}' - not set in current configuration!`);
    else {
      refuseProtected(vm, option, value);
      checkDeviceRights(world, who, { option, value, verb: 'delete' });
    }
  }
  for (const [option, value] of wanted.set) {
    const before = vm.config[option];
    if (before !== undefined && !option.startsWith('serial')) {
      checkDeviceRights(world, who, { option, value: before, verb: 'modify' });
    }
    checkDeviceRights(world, who, { option, value, verb: 'modify' });
    if (before !== undefined && /^net\d+$/.test(option)) checkBridges(world, caller, [before]);
  }
  applyChange(world, vm, wanted);
}

/** A protected VM keeps its disks. */
function refuseProtected(vm: VmState, option: string, value: string): void {
  if (vm.config.protection !== '1') return;
  const file = value.split(',')[0];
  if (option.startsWith('unused')) throw died(`can't remove unused disk '${file}' - protection mode enabled`);
  if (option === 'vmstate') throw died(`can't remove vmstate '${value}' - protection mode enabled`);
  if (diskKey.test(option)) throw died(`can't remove drive '${option}' - protection mode enabled`);
}

function checkDigest(call: Call, vm: VmState): void {
  const { digest } = call.given;
  if (digest !== undefined && digest !== '' && digest !== digestOf(vm)) throw died(call.world.facts.digestText);
}

async function resize(call: Call, log: (text: string) => void): Promise<void> {
  const { world, given } = call;
  const vm = find(call);
  checkDigest(call, vm);
  checkLock(vm);
  const key = String(given.disk);
  const raw = vm.config[key];
  if (raw === undefined) throw died(`disk '${key}' does not exist`);
  if (isCdrom(raw) || isCloudInit(raw)) throw died("you can't resize a cdrom");
  const { volume, options } = parseDrive(raw);
  world.permissions.check(call.caller, `/storage/${parseVolume(volume).storage}`, ['Datastore.AllocateSpace']);
  const size = String(given.size);
  const now = driveSize(raw);
  const wanted = size.startsWith('+') ? now + sizeBytes(size.slice(1)) : sizeBytes(size);
  await world.pace.wait(90);
  if (wanted < now) throw died('shrinking disks is not supported');
  await world.pace.wait(120);
  if (wanted === now) return;
  const path = pathOf(world, volume);
  if (vm.config.template === '1') {
    log(`qemu-img: Could not open '${path}': Could not open '${path}': Operation not permitted`);
    const command = `/usr/bin/qemu-img resize${world.facts.resizePreallocation} -f qcow2 ${path} ${wanted}`;
    throw died(`command '${command}' failed: exit code 1`);
  }
  demandRoom(world, vm, { volume, command: `/usr/bin/qemu-img resize -f qcow2 ${path} ${wanted}`, log });
  if (!vm.run) log('Image resized.');
  assertWritable(world, vm);
  vm.config[key] = [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(wanted)}`].join(',');
  world.save();
}
