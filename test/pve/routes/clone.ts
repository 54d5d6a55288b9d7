import { badParameters, died, noConfigFile, forbidden, Refusal } from '../api/refusal.ts';
import type { Config, VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import {
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
import { checkBridges } from '../vm/optionRights.ts';
import { assertQuorum, assertWritable } from '../vm/writable.ts';
import {
  assertSpace,
  canLink,
  enabledStorage,
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
  /** What is cloned: its config, or that of a snapshot. */
  config: Config;
  newid: number;
  full: boolean;
  storage?: string;
  format?: string;
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

/** `$load_and_check` of `clone_vm` in API2/Qemu.pm, in its order. */
function planOf(call: Call): Plan {
  const { world, given, caller } = call;
  const text = (name: string) => (given[name] === undefined ? undefined : String(given[name]));
  const vmid = Number(given.vmid);
  const newid = Number(given.newid);
  const [pool, storage, snapname, format] = [text('pool'), text('storage'), text('snapname'), text('format')];
  const source = world.state.vms[vmid];
  if (source === undefined || source.node !== call.node) throw noConfigFile(vmid, call.node);
  if (pool !== undefined && world.state.pools[pool] === undefined) throw forbidden(`pool '${pool}' does not exist`);
  const target = given.target === undefined || given.target === 'localhost' ? call.node : String(given.target);
  if (world.state.nodes[target] === undefined) throw died(`no such cluster node '${target}'`);
  if (storage !== undefined) checkStorage(world, storage, { node: call.node, target });
  assertQuorum(world);
  checkLock(source);
  const config = snapname === undefined ? source.config : source.snapshots[snapname];
  if (config === undefined) throw died(`snapshot '${snapname}' does not exist`);
  const full = given.full === undefined ? source.config.template !== '1' : given.full === 1;
  for (const name of ['storage', 'format']) {
    if (!full && given[name] !== undefined) throw died(`parameter '${name}' not allowed for linked clones`);
  }
  const shared = checkAccess(world, caller, { config, storage });
  if (target !== call.node && !shared) throw died(`can't clone VM to node '${target}' (VM uses local storage)`);
  if (world.state.vms[newid]?.node === call.node) throw taken(newid);
  checkFeatures(world, source, { config, full, snapname });
  const { name, description } = { name: text('name'), description: text('description') };
  return { world, source, config, newid, full, storage, format, target, pool, name, description };
}

function checkStorage(world: World, name: string, { node, target }: { node: string; target: string }): void {
  const storage = enabledStorage(world, name, node);
  if (!storage.content.includes('images')) {
    throw badParameters({ storage: `storage '${name}' does not support vm images` });
  }
  if (target === node) return;
  enabledStorage(world, name, target);
  if (!storage.shared) throw died(`can't clone to non-shared storage '${name}'`);
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

/** What a clone takes of its caller: room for the disks, and the networks. @returns whether every node has the disks. */
function checkAccess(world: World, caller: string, one: { config: Config; storage?: string }): boolean {
  let shared = true;
  for (const [, raw] of drives(one.config)) {
    const { volume } = parseDrive(raw);
    if (!volume.includes(':')) continue;
    const { storage } = parseVolume(volume);
    if (!storageOf(world, storage).shared) shared = false;
    if (isCdrom(raw)) continue;
    world.permissions.check(caller, `/storage/${one.storage ?? storage}`, ['Datastore.AllocateSpace']);
  }
  const nets = Object.entries(one.config).filter(([key]) => /^net\d+$/.test(key));
  checkBridges(
    world,
    caller,
    nets.map(([, raw]) => raw),
  );
  return shared;
}

function checkFeatures(
  world: World,
  source: VmState,
  { config, full, snapname }: { config: Config; full: boolean; snapname?: string },
): void {
  for (const [key, raw] of realDisks(config)) {
    const { volume } = parseDrive(raw);
    const linkable = source.config.template === '1' && canLink(storageOf(world, parseVolume(volume).storage));
    if (full || (linkable && snapname === undefined)) continue;
    const what = snapname === undefined ? '' : ' a snapshot of';
    throw died(`Linked clone feature is not supported for${what} '${volume}' (${key})`);
  }
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

/** The clone has its source's firewall, whatever its id had before (clone_vmfw_conf of Firewall.pm). */
function cloneFirewall(world: World, from: number, to: number): void {
  const { firewalls } = world.state;
  const own = firewalls[`/vms/${from}`];
  delete firewalls[`/vms/${to}`];
  if (own) firewalls[`/vms/${to}`] = structuredClone(own);
}

async function makeDisks(plan: Plan, made: VmState, running: Running): Promise<void> {
  const { world, source, newid } = plan;
  const log = running.log;
  if (world.facts.cloneLogsId) log(`creating a clone of VM ${source.vmid} with ID ${newid}`);
  await world.pace.wait(phasesMs.disks);
  if (running.signal.aborted) throw new Error('interrupted by signal');
  made.config = {
    ...clonedConfig(plan.config, { name: plan.name, description: plan.description, sourceVmid: source.vmid }),
    lock: 'clone',
  };
  const cdroms = drives(plan.config).filter(([, raw]) => isCdrom(raw));
  for (const [key, raw] of cdroms) made.config[key] = isCloudInit(raw) ? cloudInitDrive(plan, raw, log) : raw;
  world.save();
  await world.machines.cloneDisk(source.vmid, newid);
  await world.pace.wait(phasesMs.rest * (plan.full ? 4 : 1));
  if (running.signal.aborted) throw new Error('interrupted by signal');
  const disks: Config = {};
  for (const [key, raw] of realDisks(plan.config)) {
    demandSource(plan, parseDrive(raw).volume);
    disks[key] = plan.full ? fullDisk(plan, [key, raw], log) : linkedDisk(plan, [key, raw], log);
    Object.assign(made.config, disks);
  }
}

/** Nobody keeps root from taking files away while a clone reads them. */
function demandSource({ world, source }: Plan, volume: string): void {
  if (world.state.vms[source.vmid] === source) return;
  const path = pathOf(world, volume);
  throw new Error(`unable to create image: qemu-img: ${path}: Could not open '${path}': No such file or directory`);
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
  const volume = volumeName(world, storage, { vmid: newid, name, format: plan.format });
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
