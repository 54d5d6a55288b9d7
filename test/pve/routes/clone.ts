import { died, noConfigFile, forbidden, Refusal } from '../api/refusal.ts';
import type { Config, VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { bridgeOf, clonedConfig, driveSize, drives, isCdrom, isCloudInit, parseDrive, realDisks, sizeText } from '../vm/config.ts';
import { checkLock, newVm } from '../vm/lifecycle.ts';
import {
  assertSpace,
  canLink,
  freeDiskName,
  linkedName,
  NoSpace,
  parseVolume,
  pathOf,
  storageOf,
  volumeName,
} from '../vm/volumes.ts';

interface Plan {
  world: World;
  source: VmState;
  newid: number;
  full: boolean;
  storage?: string;
  target: string;
  name?: string;
  description?: string;
  pool?: string;
}

const cloudInitBytes = 4 * 1024 * 1024;
const phasesMs = { disks: 170, rest: 160 };

export const cloneRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/clone': (call) => {
    const plan = planOf(call);
    return call.world.task(call, 'qmclone', (running) => clone(plan, running));
  },
};

function planOf(call: Call): Plan {
  const { world, given, caller } = call;
  const vmid = Number(given.vmid);
  const newid = Number(given.newid);
  const pool = given.pool === undefined ? undefined : String(given.pool);
  if (pool !== undefined && world.state.pools[pool] === undefined) throw forbidden(`pool '${pool}' does not exist`);
  const storage = given.storage === undefined ? undefined : String(given.storage);
  if (storage !== undefined) storageOf(world, storage);
  const target = given.target === undefined ? call.node : String(given.target);
  if (world.state.nodes[target] === undefined) throw died(`no such cluster node '${target}'`);
  const source = world.state.vms[vmid];
  if (source === undefined || source.node !== call.node) throw noConfigFile(vmid, call.node);
  checkLock(source);
  const isTemplate = source.config.template === '1';
  const full = given.full === undefined ? !isTemplate : given.full === 1;
  if (!full && storage !== undefined) throw died("parameter 'storage' not allowed for linked clones");
  const snapname = given.snapname === undefined ? undefined : String(given.snapname);
  if (snapname !== undefined && source.snapshots[snapname] === undefined) {
    throw died(`snapshot '${snapname}' does not exist`);
  }
  checkDisks({ world, source, full, caller, storage });
  if (world.state.vms[newid] !== undefined) throw taken(newid);
  return {
    world,
    source,
    newid,
    full,
    storage,
    target,
    pool,
    name: given.name === undefined ? undefined : String(given.name),
    description: given.description === undefined ? undefined : String(given.description),
  };
}

function taken(vmid: number): Refusal {
  return died(`unable to create VM ${vmid}: config file already exists`);
}

function checkDisks(one: { world: World; source: VmState; full: boolean; caller: string; storage?: string }): void {
  const { world, source, full, caller } = one;
  for (const [key, raw] of Object.entries(source.config)) {
    const bridge = /^net\d+$/.test(key) ? bridgeOf(raw) : undefined;
    if (bridge !== undefined) world.permissions.check(caller, `/sdn/zones/localnetwork/${bridge}`, ['SDN.Use']);
  }
  for (const [key, raw] of realDisks(source.config)) {
    const { volume } = parseDrive(raw);
    const { storage } = parseVolume(volume);
    if (!full && (source.config.template !== '1' || !canLink(storageOf(world, storage)))) {
      throw died(`Linked clone feature is not supported for '${volume}' (${key})`);
    }
    world.permissions.check(caller, `/storage/${one.storage ?? storage}`, ['Datastore.AllocateSpace']);
  }
}

async function clone(plan: Plan, running: Running): Promise<void> {
  const { world, newid } = plan;
  const release = await world.locks.take(newid, { onWait: running.log, signal: running.signal });
  let made: VmState | undefined;
  try {
    await world.pace.wait(world.facts.cloneConfigAfterMs);
    if (world.state.vms[newid] !== undefined) throw taken(newid);
    made = newVm(newid, plan.target, { lock: 'clone', description: ' qmclone temporary file' });
    world.state.vms[newid] = made;
    world.save();
    await world.pace.wait(30);
    if (!world.facts.cloneHoldsLock) release();
    await makeDisks(plan, made, running);
    if (plan.pool !== undefined) world.state.pools[plan.pool]?.members.push(newid);
    delete made.config.lock;
    world.save();
  } catch (error) {
    if (made) {
      delete world.state.vms[newid];
      await world.machines.removeDisk(newid);
    }
    if (error instanceof Refusal && made === undefined) throw error;
    throw new Error(`clone failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    release();
  }
}

async function makeDisks(plan: Plan, made: VmState, running: Running): Promise<void> {
  const { world, source, newid } = plan;
  const log = running.log;
  if (world.facts.cloneLogsId) log(`creating a clone of VM ${source.vmid} with ID ${newid}`);
  await world.pace.wait(phasesMs.disks);
  if (running.signal.aborted) throw new Error('interrupted by signal');
  made.config = { ...clonedConfig(source.config, { name: plan.name, description: plan.description, vmid: newid }), lock: 'clone' };
  const cdroms = drives(source.config).filter(([, raw]) => isCdrom(raw));
  for (const [key, raw] of cdroms) made.config[key] = isCloudInit(raw) ? cloudInitDrive(plan, raw, log) : raw;
  world.save();
  await world.machines.cloneDisk(source.vmid, newid);
  await world.pace.wait(phasesMs.rest * (plan.full ? 4 : 1));
  if (running.signal.aborted) throw new Error('interrupted by signal');
  const disks: Config = {};
  for (const [key, raw] of realDisks(source.config)) {
    disks[key] = plan.full ? fullDisk(plan, [key, raw], log) : linkedDisk(plan, [key, raw], log);
    Object.assign(made.config, disks);
  }
}

function cloudInitDrive(plan: Plan, raw: string, log: (text: string) => void): string {
  const { world, newid } = plan;
  const from = parseDrive(raw).volume;
  const storage = plan.storage ?? parseVolume(from).storage;
  const volume = volumeName(world, storage, { vmid: newid, name: `vm-${newid}-cloudinit` });
  reserve(plan, { volume, bytes: cloudInitBytes, log });
  log(`create full clone of drive ${keyOf(plan.source, raw)} (${from})`);
  log(formatting(world, volume, `cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=${cloudInitBytes}`));
  if (world.facts.cloneLogsId) log(`allocated target volume '${volume}'`);
  return `${volume},media=cdrom,size=4M`;
}

function linkedDisk(plan: Plan, [key, raw]: [string, string], log: (text: string) => void): string {
  const { world, newid } = plan;
  const { volume: base, options } = parseDrive(raw);
  const name = freeDiskName(world.state.vms[newid] ?? plan.source);
  const volume = linkedName(world, base, { vmid: newid, name });
  reserve(plan, { volume, bytes: 200_704, log });
  const file = parseVolume(base).rest;
  log(`create linked clone of drive ${key} (${base})`);
  log(`clone ${file}: images, ${name}.qcow2, ${newid} to ${name}.qcow2 (base=../${file})`);
  const rest = `cluster_size=131072 extended_l2=on preallocation=metadata compression_type=zlib size=${driveSize(raw)} backing_file=../${file} backing_fmt=qcow2`;
  log(formatting(world, volume, rest));
  return [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(driveSize(raw))}`].join(',');
}

function fullDisk(plan: Plan, [key, raw]: [string, string], log: (text: string) => void): string {
  const { world, newid } = plan;
  const { volume: from, options } = parseDrive(raw);
  const storage = plan.storage ?? parseVolume(from).storage;
  const name = freeDiskName(world.state.vms[newid] ?? plan.source);
  const volume = volumeName(world, storage, { vmid: newid, name });
  const bytes = driveSize(raw);
  reserve(plan, { volume, bytes: Math.floor(bytes / 4), log });
  log(`create full clone of drive ${key} (${from})`);
  log(formatting(world, volume, `cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=${bytes}`));
  log(`transferred 0.0 B of ${(bytes / 1024 ** 3).toFixed(1)} GiB (0.00%)`);
  log(`transferred ${(bytes / 1024 ** 3).toFixed(1)} GiB of ${(bytes / 1024 ** 3).toFixed(1)} GiB (100.00%)`);
  return [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(bytes)}`].join(',');
}

function reserve(plan: Plan, one: { volume: string; bytes: number; log: (text: string) => void }): void {
  try {
    assertSpace(plan.world, parseVolume(one.volume).storage, one.bytes);
  } catch (error) {
    if (!(error instanceof NoSpace)) throw error;
    const path = pathOf(plan.world, one.volume);
    one.log(`qemu-img: ${path}: Could not write qcow2 header: No space left on device`);
    throw new Error(`unable to create image: qemu-img: ${path}: Could not write qcow2 header: No space left on device`, { cause: error });
  }
}

function formatting(world: World, volume: string, rest: string): string {
  return `Formatting '${pathOf(world, volume)}', fmt=qcow2 ${rest} lazy_refcounts=off refcount_bits=16`;
}

function keyOf(vm: VmState, raw: string): string {
  return Object.keys(vm.config).find((key) => vm.config[key] === raw) ?? 'ide2';
}
