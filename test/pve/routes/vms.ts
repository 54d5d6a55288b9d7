import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { digestOf, realDisks, parseDrive, shownConfig, typed } from '../vm/config.ts';
import { dumpCloudInit } from '../vm/cloudInit.ts';
import { newVm, startVm } from '../vm/lifecycle.ts';
import { currentStatus, vmStatus } from '../vm/status.ts';
import { canLink, parseVolume, storageOf } from '../vm/volumes.ts';
import { configured } from './config.ts';

const index =
  'config cloudinit pending status unlink vncproxy termproxy migrate resize move rrd rrddata monitor agent snapshot spiceproxy sendkey firewall mtunnel remote_migrate';

export const vmRoutes: Routes = {
  'GET /nodes/{node}/qemu': list,
  'POST /nodes/{node}/qemu': create,
  'GET /nodes/{node}/qemu/{vmid}': () => index.split(' ').map((subdir) => ({ subdir })),
  'GET /nodes/{node}/qemu/{vmid}/status/current': (call) => currentStatus(call.world, find(call)),
  'GET /nodes/{node}/qemu/{vmid}/config': showConfig,
  'GET /nodes/{node}/qemu/{vmid}/pending': showPending,
  'GET /nodes/{node}/qemu/{vmid}/rrddata': rrddata,
  'GET /nodes/{node}/qemu/{vmid}/feature': feature,
  'GET /nodes/{node}/qemu/{vmid}/cloudinit': () => [],
  'GET /nodes/{node}/qemu/{vmid}/cloudinit/dump': (call) => dumpCloudInit(find(call), String(call.given.type)),
  'GET /nodes/{node}/qemu/{vmid}/migrate': precheck,
  'POST /nodes/{node}/qemu/{vmid}/migrate': migrate,
};

function find(call: Call): VmState {
  return call.world.vm(Number(call.given.vmid), call.node);
}

function list(call: Call): Json {
  const { world, caller, given, node } = call;
  return Object.values(world.state.vms)
    .filter((vm) => vm.node === node && world.permissions.any(caller, `/vms/${vm.vmid}`, ['VM.Audit']))
    .map((vm) => vmStatus(world, vm, { full: given.full === 1 }));
}

function showConfig(call: Call): JsonObject {
  const { world, given } = call;
  const vm = find(call);
  const digest = digestOf(vm);
  if (given.snapshot !== undefined) {
    const snapshot = vm.snapshots[String(given.snapshot)];
    if (snapshot === undefined) throw died(`snapshot '${String(given.snapshot)}' does not exist`);
    return { ...shownConfig(world.vmProperties, snapshot), digest };
  }
  const config = given.current === 1 ? vm.config : withPending(vm);
  return { ...shownConfig(world.vmProperties, config), digest };
}

function withPending(vm: VmState): VmState['config'] {
  const config = { ...vm.config, ...vm.pending };
  for (const key of vm.pendingDelete) delete config[key];
  return config;
}

function showPending(call: Call): Json {
  const { world } = call;
  const vm = find(call);
  const show = (key: string, raw: string): Json => (key === 'cipassword' ? '**********' : typed(world.vmProperties, key, raw));
  const lines: JsonObject[] = Object.entries(vm.config).map(([key, raw]) => ({
    key,
    value: show(key, raw),
    ...(vm.pending[key] === undefined ? {} : { pending: show(key, vm.pending[key]) }),
    ...(vm.pendingDelete.includes(key) ? { delete: 1 } : {}),
  }));
  for (const [key, raw] of Object.entries(vm.pending)) {
    if (vm.config[key] === undefined) lines.push({ key, pending: show(key, raw) });
  }
  return [...lines, { key: 'digest', value: digestOf(vm) }];
}

function rrddata(call: Call): Json {
  const { world, given } = call;
  const vmid = Number(given.vmid);
  const vm = world.state.vms[vmid];
  if (vm === undefined) {
    throw died(`RRD error: opening '/var/lib/rrdcached/db/${world.facts.rrdFolder}/${vmid}': No such file or directory`);
  }
  return rows(world, String(given.timeframe), vm.history);
}

const stepS: Record<string, number> = { hour: 60, day: 1800, week: 10_800, month: 43_200, year: 604_800, decade: 604_800 };

/** One row a step, most of them empty for something young. */
export function rows(world: World, timeframe: string, history: { time: number; values: JsonObject }[]): Json {
  const step = stepS[timeframe] ?? 60;
  const end = Math.floor(world.nowS() / step) * step;
  const known = new Map(history.map((row) => [Math.floor(row.time / step) * step, row.values]));
  return Array.from({ length: 70 }, (_, at) => {
    const time = end - (69 - at) * step;
    return { time, ...known.get(time) };
  });
}

function feature(call: Call): Json {
  const { world, given } = call;
  const vm = find(call);
  const storages = realDisks(vm.config).map(([, raw]) => storageOf(world, parseVolume(parseDrive(raw).volume).storage));
  const has = given.feature !== 'clone' || storages.every((one) => canLink(one) || vm.config.template !== '1');
  const shared = storages.every((one) => one.shared);
  const nodes = shared ? Object.keys(world.state.nodes) : [vm.node];
  return { hasFeature: has ? 1 : 0, nodes: has ? nodes : [] };
}

function create(call: Call): Json {
  const { world, given, caller } = call;
  const vmid = Number(given.vmid);
  const pool = given.pool === undefined ? undefined : String(given.pool);
  if (pool !== undefined) world.permissions.check(caller, `/pool/${pool}`, ['VM.Allocate']);
  else world.permissions.check(caller, `/vms/${vmid}`, ['VM.Allocate']);
  if (given.storage !== undefined) storageOf(world, String(given.storage));
  if (world.state.vms[vmid] !== undefined) throw died(`unable to create VM ${vmid}: config file already exists`);
  return world.task(call, 'qmcreate', async (running) => {
    const release = await world.locks.take(vmid, { onWait: running.log, signal: running.signal });
    try {
      if (world.state.vms[vmid] !== undefined) throw died(`unable to create VM ${vmid}: config file already exists`);
      const meta = `creation-qemu=7.2.22,ctime=${world.nowS(call.node)}`;
      const vm = newVm(vmid, call.node, {
        boot: '',
        meta,
        smbios1: `uuid=${crypto.randomUUID()}`,
        vmgenid: crypto.randomUUID(),
      });
      configured(call, vm);
      if (vm.config.boot === '') delete vm.config.boot;
      await world.pace.wait(300);
      world.state.vms[vmid] = vm;
      if (pool !== undefined) world.state.pools[pool]?.members.push(vmid);
      world.save();
      if (given.start === 1) await startVm(world, vm, running.log);
    } finally {
      release();
    }
  });
}

function precheck(call: Call): Json {
  const { world } = call;
  const vm = find(call);
  const local = realDisks(vm.config).filter(([, raw]) => !storageOf(world, parseVolume(parseDrive(raw).volume).storage).shared);
  return {
    running: vm.run ? 1 : 0,
    allowed_nodes: Object.keys(world.state.nodes).filter((node) => node !== vm.node && world.state.nodes[node]?.online),
    not_allowed_nodes: {},
    local_disks: local.map(([key, raw]) => ({ volid: parseDrive(raw).volume, drivename: key, cdrom: 0, is_unused: 0, size: 0 })),
    local_resources: [],
    'mapped-resources': [],
    'mapped-resource-info': {},
  };
}

function migrate(call: Call): Json {
  const { world, given } = call;
  const target = String(given.target);
  if (target === call.node) throw badParameters({ target: 'target is local node.' });
  const node = world.state.nodes[target];
  if (node === undefined) throw died(`no such cluster node '${target}'`);
  const vm = find(call);
  if (vm.config.lock !== undefined) throw died(`VM is locked (${vm.config.lock})`);
  if (vm.run && given.online !== 1) throw died("can't migrate running VM without --online");
  if (!node.online) throw died(`node '${target}' is not online`);
  return world.task(call, 'qmigrate', async (running) => {
    running.log(`starting migration of VM ${vm.vmid} to node '${target}' (${node.ip})`);
    vm.config.lock = 'migrate';
    await world.pace.wait(2000, running.signal);
    delete vm.config.lock;
    if (running.signal.aborted) throw new Error('migration aborted');
    vm.node = target;
    running.log(`migration finished successfully (duration 00:00:02)`);
    world.save();
  });
}
