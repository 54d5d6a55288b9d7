import { badParameters, died, noConfigFile, forbidden, Refusal } from '../api/refusal.ts';
import type { Config, VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import {
  bridgeOf,
  clonedConfig,
  driveSize,
  drives,
  isCdrom,
  isCloudInit,
  parseDrive,
  realDisks,
  sizeText,
} from '../vm/config.ts';
import { checkLock, newVm } from '../vm/lifecycle.ts';
import { assertQuorum, assertWritable } from '../vm/writable.ts';
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
/** A clone waits no longer than this for the locks of its source and its target. */
const lockTimeoutMs = 1000;
const phasesMs = { disks: 170, rest: 160 };

export const cloneRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/clone': (call) => {
    const plan = planOf(call);
    return call.world.task(call, 'qmclone', (running) => clone(plan, running));
  },
};

function planOf(call: Call): Plan {
  const { world, given, caller } = call;
  const text = (name: string) => (given[name] === undefined ? undefined : String(given[name]));
  const vmid = Number(given.vmid);
  const newid = Number(given.newid);
  const [pool, storage, snapname] = [text('pool'), text('storage'), text('snapname')];
  const source = world.state.vms[vmid];
  if (source === undefined || source.node !== call.node) throw noConfigFile(vmid, call.node);
  if (pool !== undefined && world.state.pools[pool] === undefined) throw forbidden(`pool '${pool}' does not exist`);
  const target = text('target') ?? call.node;
  if (world.state.nodes[target] === undefined) throw died(`no such cluster node '${target}'`);
  if (storage !== undefined) checkStorage(world, storage, target === call.node);
  assertQuorum(world);
  checkLock(source);
  if (snapname !== undefined && source.snapshots[snapname] === undefined) {
    throw died(`snapshot '${snapname}' does not exist`);
  }
  const full = given.full === undefined ? source.config.template !== '1' : given.full === 1;
  for (const name of ['storage', 'format']) {
    if (!full && given[name] !== undefined) throw died(`parameter '${name}' not allowed for linked clones`);
  }
  const shared = checkDisks({ world, source, full, caller, storage });
  if (target !== call.node && !shared) throw died(`can't clone VM to node '${target}' (VM uses local storage)`);
  if (world.state.vms[newid]?.node === call.node) throw taken(newid);
  return { world, source, newid, full, storage, target, pool, name: text('name'), description: text('description') };
}

function checkStorage(world: World, name: string, local: boolean): void {
  const storage = storageOf(world, name);
  if (storage.disabled) throw died(`storage '${name}' is disabled`);
  if (!storage.content.includes('images')) {
    throw badParameters({ storage: `storage '${name}' does not support vm images` });
  }
  if (!local && !storage.shared) throw died(`can't clone to non-shared storage '${name}'`);
}

/** An id that a VM of another node has is noticed only by the cluster's file system. */
function takenLate({ world, newid, source }: Plan): Refusal {
  if (world.state.vms[newid]?.node === source.node) return taken(newid);
  const file = `/etc/pve/nodes/${source.node}/qemu-server/${newid}.conf.tmp.${world.state.nextPid}`;
  return died(`unable to open file '${file}' - File exists`);
}

function taken(vmid: number): Refusal {
  return died(`unable to create VM ${vmid}: config file already exists`);
}

function checkDisks(one: { world: World; source: VmState; full: boolean; caller: string; storage?: string }): boolean {
  let shared = true;
  const { world, source, full, caller } = one;
  for (const [key, raw] of Object.entries(source.config)) {
    const bridge = /^net\d+$/.test(key) ? bridgeOf(raw) : undefined;
    if (bridge !== undefined) world.permissions.check(caller, `/sdn/zones/localnetwork/${bridge}`, ['SDN.Use']);
  }
  for (const [key, raw] of realDisks(source.config)) {
    const { volume } = parseDrive(raw);
    const { storage } = parseVolume(volume);
    if (!storageOf(world, storage).shared) shared = false;
    if (!full && (source.config.template !== '1' || !canLink(storageOf(world, storage)))) {
      throw died(`Linked clone feature is not supported for '${volume}' (${key})`);
    }
    world.permissions.check(caller, `/storage/${one.storage ?? storage}`, ['Datastore.AllocateSpace']);
  }
  return shared;
}

async function clone(plan: Plan, running: Running): Promise<void> {
  const { world, newid } = plan;
  const waiting = { onWait: running.log, signal: running.signal, timeoutMs: lockTimeoutMs };
  const release = await world.locks.take(newid, waiting);
  let made: VmState | undefined;
  try {
    await world.pace.wait(world.facts.cloneConfigAfterMs);
    if (world.state.vms[newid] !== undefined) throw takenLate(plan);
    assertWritable(world, { vmid: newid, node: plan.source.node });
    made = newVm(newid, plan.target, { lock: 'clone', description: ' qmclone temporary file' });
    world.state.vms[newid] = made;
    cloneFirewall(world, plan.source.vmid, newid);
    world.save();
    await world.pace.wait(30);
    await makeDisks(plan, made, running);
    if (plan.pool !== undefined) world.state.pools[plan.pool]?.members.push(newid);
    delete made.config.lock;
    world.save();
  } catch (error) {
    if (made) {
      delete world.state.vms[newid];
      delete world.state.firewalls[`/vms/${newid}`];
      await world.machines.removeDisk(newid);
    }
    if (error instanceof Refusal && made === undefined) throw error;
    throw new Error(`clone failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    release();
  }
}

/** Options, rules and sets of the source, from the first moment on. */
function cloneFirewall({ state }: World, from: number, to: number): void {
  const source = state.firewalls[`/vms/${from}`];
  if (source !== undefined) state.firewalls[`/vms/${to}`] = structuredClone(source);
}

async function makeDisks(plan: Plan, made: VmState, running: Running): Promise<void> {
  const { world, source, newid } = plan;
  const log = running.log;
  if (world.facts.cloneLogsId) log(`creating a clone of VM ${source.vmid} with ID ${newid}`);
  await world.pace.wait(phasesMs.disks);
  if (running.signal.aborted) throw new Error('interrupted by signal');
  made.config = {
    ...clonedConfig(source.config, { name: plan.name, description: plan.description, sourceVmid: source.vmid }),
    lock: 'clone',
  };
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
  log(
    formatting(
      world,
      volume,
      `cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=${cloudInitBytes}`,
    ),
  );
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
  const rest = `${world.facts.linkedImage} compression_type=zlib size=${driveSize(raw)} backing_file=../${file} backing_fmt=qcow2`;
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
  log(
    formatting(
      world,
      volume,
      `cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=${bytes}`,
    ),
  );
  log(`transferred 0.0 B of ${(bytes / 1024 ** 3).toFixed(1)} GiB (0.00%)`);
  log(`transferred ${(bytes / 1024 ** 3).toFixed(1)} GiB of ${(bytes / 1024 ** 3).toFixed(1)} GiB (100.00%)`);
  return [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(bytes)}`].join(',');
}

function reserve(plan: Plan, one: { volume: string; bytes: number; log: (text: string) => void }): void {
  try {
    assertSpace(plan.world, { storage: parseVolume(one.volume).storage, node: plan.target }, one.bytes);
  } catch (error) {
    if (!(error instanceof NoSpace)) throw error;
    const path = pathOf(plan.world, one.volume);
    one.log(`qemu-img: ${path}: Could not write qcow2 header: No space left on device`);
    throw new Error(
      `unable to create image: qemu-img: ${path}: Could not write qcow2 header: No space left on device`,
      { cause: error },
    );
  }
}

function formatting(world: World, volume: string, rest: string): string {
  return `Formatting '${pathOf(world, volume)}', fmt=qcow2 ${rest} lazy_refcounts=off refcount_bits=16`;
}

function keyOf(vm: VmState, raw: string): string {
  return Object.keys(vm.config).find((key) => vm.config[key] === raw) ?? 'ide2';
}
