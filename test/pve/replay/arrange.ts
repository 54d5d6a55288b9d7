import { boot, newVm } from '../vm/lifecycle.ts';
import { clonedConfig, diskKey } from '../vm/config.ts';
import { sampled } from '../vm/status.ts';
import { addTemplate } from '../world/seed.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Exchange } from './recording.ts';
import type { Config, State, VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';

const template = 9001;
const args =
  '-kernel /var/lib/vz/template/boot/vmlinuz -initrd /var/lib/vz/template/boot/initrd.gz -append "console=tty0 console=ttyS0 quiet"';

/** The cluster as the recording found it: its node, its template and what else lay about on the 8.4 node. */
export function recordedWorld(state: State, node: string, nowMs: number): void {
  const made = addTemplate(state, { vmid: template, node, name: 'tmpl-guest', nowMs, memoryMiB: 256 });
  Object.assign(made.config, { args, kvm: '0' });
  Object.assign(state.nodes[node] ?? {}, { cpus: 2, memoryBytes: 25_276_510_208 });
  const privileges = [
    ...(state.roles.DeskPool ?? []),
    'Datastore.AllocateSpace',
    'Datastore.Audit',
    'Pool.Audit',
    'SDN.Use',
    'Sys.Audit',
  ];
  state.roles.Recorder = privileges;
  for (const who of ['rec@pve', 'rec@pve!t1']) {
    for (const path of ['/', '/pool/desks', '/storage/local', '/sdn/zones/localnetwork/vmbr0', '/vms/9001']) {
      state.acl.push({ path, who, role: 'Recorder', propagate: true });
    }
  }
  for (const who of ['adm@pve', 'adm@pve!t1'])
    state.acl.push({ path: '/', who, role: 'Administrator', propagate: true });
  state.tokens['rec@pve!t1'] = { secret: 'rec', privsep: true };
  state.tokens['adm@pve!t1'] = { secret: 'adm', privsep: true };
  state.tokens['none@pve!t1'] = { secret: 'none', privsep: true };
  formerTasks(state, node, nowMs);
  if (state.version === '8.4') formerRows(state, nowMs);
  if (state.version === '8.4') leftOn84(state, node);
}

function leftOn84(state: State, node: string): void {
  state.storages.tiny = {
    type: 'dir',
    content: ['images'],
    path: '/mnt/tiny',
    shared: false,
    totalBytes: 41_956_900_864,
    otherBytes: 0,
  };
  const other = { name: 'tmpl', vmid: 9000 };
  const from = state.vms[template]?.config ?? {};
  state.vms[9000] = newVm(other.vmid, node, {
    ...from,
    name: other.name,
    scsi0: 'local:9000/base-9000-disk-0.qcow2,size=1G',
    template: '1',
  });
  for (const [vmid, name] of [
    [200, 'desk-200'],
    [300, 'noagent'],
  ] as const) {
    state.vms[vmid] = clone(state, vmid, { name, node });
  }
}

/** A linked clone of the template, made without a task. */
function clone(state: State, vmid: number, one: { name: string; node: string }): VmState {
  const from = state.vms[template]?.config ?? {};
  const config: Config = {
    ...clonedConfig(from, { name: one.name, sourceVmid: template }),
    ide2: `local:${vmid}/vm-${vmid}-cloudinit.qcow2,media=cdrom,size=4M`,
    scsi0: `local:${template}/base-${template}-disk-0.qcow2/${vmid}/vm-${vmid}-disk-0.qcow2,size=1G`,
  };
  return newVm(vmid, one.node, config);
}

/** Brings about what a case says was so before it. */
export async function arrange(world: World, node: string, given: string): Promise<void> {
  for (const clause of given.split(/[;,]\s*/)) await arrangeClause(world, node, clause);
  const described = /VM (\d+) (?:is|stopped|running|paused|has|exists|waits)/.exec(given);
  if (described) await arrangeVm(world, Number(described[1]), { node, given });
}

async function arrangeClause(world: World, node: string, clause: string): Promise<void> {
  const absent = /^(?:VM (\d+) (?:does not exist|deleted)|VMID (\d+) free)|same free VMID (\d+)/.exec(clause);
  if (absent) await remove(world, Number(absent[1] ?? absent[2] ?? absent[3]));
  const exists = /^VMID (\d+) exists/.exec(clause);
  if (exists) ensure(world, Number(exists[1]), node);
  if (clause.includes('has linked clones')) ensure(world, 4102, node);
  const pooled = /^pool (\S+) has a VM/.exec(clause);
  if (pooled) world.state.pools[pooled[1] ?? ''] ??= { members: [4102], comment: 'recorded' };
  const alias = /^alias (\S+) exists/.exec(clause);
  const wall = world.state.firewalls['/vms/4102'];
  if (alias && wall) wall.aliases[alias[1] ?? ''] ??= { cidr: '10.10.10.3' };
}

async function remove(world: World, vmid: number): Promise<void> {
  await world.machines.stop(vmid);
  delete world.state.vms[vmid];
  for (const pool of Object.values(world.state.pools)) pool.members = pool.members.filter((one) => one !== vmid);
}

function ensure(world: World, vmid: number, node: string): VmState {
  const known = world.state.vms[vmid];
  if (known) return known;
  const made = clone(world.state, vmid, { name: vmid === 4101 ? 'desk-0001' : `desk-${vmid}`, node });
  world.state.vms[vmid] = made;
  if (vmid < 4200) world.state.pools.desks?.members.push(vmid);
  return made;
}

async function arrangeVm(world: World, vmid: number, one: { node: string; given: string }): Promise<void> {
  const { given, node } = one;
  const vm = ensure(world, vmid, node);
  if (/no guest OS|no agent option/.test(given) || vmid === 4203) withoutSystem(vm);
  const lock = /has lock: (\w+)/.exec(given)?.[1];
  if (lock === undefined && !/hibernated|lock suspended/.test(given)) delete vm.config.lock;
  else if (lock !== undefined) vm.config.lock = lock;
  const size = /scsi0 (\d+G)/.exec(given)?.[1];
  if (size !== undefined && vm.config.scsi0) vm.config.scsi0 = vm.config.scsi0.replace(/size=\w+/, `size=${size}`);
  if (/\bstopped\b|agent=0/.test(given)) await power(world, vm, 'off');
  else if (/\brunning\b|\bpaused\b|waits/.test(given)) await power(world, vm, 'on');
  if (vm.run && /paused/.test(given) && !/no paused/.test(given)) {
    vm.run.paused = true;
    await world.machines.pause(vmid);
  } else if (vm.run?.paused) {
    vm.run.paused = false;
    await world.machines.resume(vmid);
  }
  if (vm.run && /agent up/.test(given)) await untilUp(world, vmid);
  if (/guest (?:still )?boots/.test(given) && vm.run) await world.machines.reset(vmid);
  snapshots(vm, given);
}

function withoutSystem(vm: VmState): void {
  for (const key of Object.keys(vm.config)) {
    if (diskKey.test(key) || /^(?:net\d|agent|serial\d|vga|tags)$/.test(key)) delete vm.config[key];
  }
  Object.assign(vm.config, { name: 'no-os', memory: '64' });
}

function snapshots(vm: VmState, given: string): void {
  for (const [, name = ''] of given.matchAll(/snapshot (\w+)/g)) {
    if (vm.snapshots[name] !== undefined) continue;
    vm.snapshots[name] = { ...vm.config, snaptime: '1795339526', description: '' };
    vm.config.parent = name;
  }
}

async function power(world: World, vm: VmState, wanted: 'on' | 'off'): Promise<void> {
  if (wanted === 'on' && !vm.run) await boot(world, vm);
  if (wanted === 'off' && vm.run) {
    await world.machines.stop(vm.vmid);
    world.stopped(vm);
  }
}

async function untilUp(world: World, vmid: number): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    try {
      await world.machines.agent(vmid, 'guest-ping');
      return;
    } catch {
      await world.clock.sleep(500);
    }
  }
}

interface Line {
  type?: string;
  vmid?: number;
  node?: string;
  status?: string;
  lock?: string;
  tags?: string;
}

/** Lines of VMs in an answer, wherever in it they stand. */
function vmLines(data: Json | undefined): Line[] {
  const lists = Array.isArray(data) ? data : [data ?? null];
  return lists.flatMap((one) => {
    const line = one as (Line & { members?: Line[] }) | null;
    return [...(line?.type === 'qemu' ? [line] : []), ...(line?.members ?? [])];
  });
}

/** When pvestatd looks is a matter of the moment: it has looked at the VMs that the recording says it has looked at. */
export function lookedAt(world: World, { response }: Exchange): void {
  for (const line of vmLines((response.body as JsonObject | null)?.data)) {
    const vm = world.state.vms[line.vmid ?? 0];
    if (vm === undefined) continue;
    if (line.status === 'unknown') delete vm.sample;
    else vm.sample ??= sampled(world, vm);
  }
}

/** A VM that a list tells of with a lock, and that no step of the case touches, is one that an unrecorded step left so. */
function lockedByOthers(world: World, { response }: Exchange, paths: string): void {
  for (const { vmid = 0, node = '', lock, tags } of vmLines((response.body as JsonObject | null)?.data)) {
    if (lock === undefined || paths.includes(`/${vmid}`)) continue;
    const vm = ensure(world, vmid, node);
    Object.assign(vm.config, { lock }, tags === undefined ? {} : { tags });
  }
}

/** What cases that are not in the file left behind: snapshots and options that a case finds and does not make itself. */
export function leftByOthers(world: World, exchanges: Exchange[]): void {
  const paths = exchanges.map(({ request }) => request.path).join(' ');
  for (const exchange of exchanges) lockedByOthers(world, exchange, paths);
  const made = new Set(exchanges.flatMap(({ request }) => Object.values(request.params ?? {}).map(String)));
  for (const { request, response } of exchanges) {
    const data = (response.body as JsonObject | null)?.data;
    const vm = world.state.vms[Number(/\/qemu\/(\d+)/.exec(request.path)?.[1])];
    if (vm === undefined || request.method !== 'GET' || response.status !== 200) continue;
    if (request.template.endsWith('/snapshot') && Array.isArray(data)) {
      for (const line of data as { name: string }[]) {
        if (line.name === 'current' || made.has(line.name) || vm.snapshots[line.name]) continue;
        vm.snapshots[line.name] = { ...vm.config, snaptime: '1795339526', description: '' };
        vm.config.parent = line.name;
      }
    }
    if (request.template.endsWith('/status/current') && data && !Array.isArray(data)) {
      options(vm, { ...asRecorded(vm), tags: (data as JsonObject).tags ?? null }, exchanges);
    }
    if (request.template.endsWith('/config') && !exchanges.some((one) => one.request.template.endsWith('/clone'))) {
      options(vm, data as JsonObject, exchanges);
    }
  }
}

function asRecorded(vm: VmState): JsonObject {
  return Object.fromEntries(Object.entries(vm.config));
}

const simple = ['tags', 'description', 'onboot', 'ciuser', 'nameserver', 'balloon'];

function options(vm: VmState, recorded: JsonObject, exchanges: Exchange[]): void {
  const touched = exchanges.flatMap(({ request }) => [
    ...Object.keys(request.params ?? {}),
    String(request.params?.delete ?? ''),
  ]);
  for (const key of simple) {
    if (touched.includes(key)) continue;
    if (recorded[key] === undefined || recorded[key] === null) delete vm.config[key];
    else vm.config[key] ??= String(recorded[key]);
  }
}

/** The rows of a former VM of the same id. */
function formerRows(state: State, nowMs: number): void {
  const minute = Math.floor(nowMs / 60_000) * 60;
  const always = { cpu: 0, maxcpu: 1, mem: 0, maxmem: 268_435_456, disk: 0, maxdisk: 1_073_741_824 };
  state.rrd[4101] = [10, 9, 8, 7].map((ago) => ({
    time: minute - ago * 60,
    values: ago > 8 ? always : { ...always, netin: 0, netout: 0 },
  }));
}

/** Tasks of before: of root and of the token, good and bad. */
function formerTasks(state: State, node: string, nowMs: number): void {
  const absent = `unable to find configuration file for VM 4103 on node '${node}'`;
  const own: [string, string, string, string][] = [
    ['qmclone', '9001', 'rec@pve!t1', 'OK'],
    ['qmclone', '9001', 'rec@pve!t1', 'unable to create VM 4212: config file already exists'],
    ['qmstart', '4103', 'rec@pve!t1', 'VM 4103 already running'],
    ['qmreboot', '4103', 'rec@pve!t1', 'unexpected status'],
  ];
  const roots: [string, string, string, string][] = [
    ['qmdestroy', state.version === '8.4' ? '4101' : '4103', 'root@pam', 'OK'],
    ['qmstop', '4103', 'root@pam', state.version === '8.4' ? absent : 'OK'],
  ];
  const kinds = state.version === '8.4' ? [...own, ...roots, ...roots, ...roots] : [...own, ...roots];
  for (const [type, id, who, exitstatus] of kinds) {
    const pid = state.nextPid++;
    const starttime = Math.floor(nowMs / 1000) - 60;
    const upid = `UPID:${node}:${pid.toString(16).toUpperCase().padStart(8, '0')}:000B98E6:${starttime.toString(16).toUpperCase()}:${type}:${id}:${who}:`;
    state.tasks[upid] = {
      upid,
      node,
      pid,
      pstart: 760_038,
      starttime,
      endtime: starttime + 1,
      type,
      id,
      who,
      exitstatus,
      log: ['TASK OK'],
    };
    state.taskOrder.unshift(upid);
  }
}

/** A flock that something unrecorded holds, as a note of the recording says. */
export async function heldByCleanup(world: World, node: string, exchanges: Exchange[]): Promise<void> {
  if (!exchanges.some((one) => one.note?.startsWith('flock'))) return;
  const vmid = exchanges.map(({ request }) => /\/qemu\/(\d+)/.exec(request.path)?.[1]).find((one) => one !== undefined);
  const text = JSON.stringify(exchanges.map((one) => one.response.body));
  if (text.includes('already running')) await arrange(world, node, `VM ${vmid} running, agent up`);
  world.locks.free(Number(vmid));
  world.locks.hold(Number(vmid), text.includes('got timeout') ? 30_000 : 200);
}
