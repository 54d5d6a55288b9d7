import { badParameters, died, forbidden, noConfigFile } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { digestOf, realDisks, parseDrive, shownConfig, typed } from '../vm/config.ts';
import { applyChange } from '../vm/changes.ts';
import { assertQuorum } from '../vm/writable.ts';
import { cloudInitPending, dumpCloudInit } from '../vm/cloudInit.ts';
import { newVm, startVm } from '../vm/lifecycle.ts';
import { checkDeviceRights } from '../vm/optionRights.ts';
import { currentStatus, vmStatus } from '../vm/status.ts';
import { canLink, parseVolume, storageOf } from '../vm/volumes.ts';
import { checkSshKeys, newConfigOf } from '../vm/wanted.ts';

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
  'GET /nodes/{node}/qemu/{vmid}/cloudinit': (call) => cloudInitPending(find(call)),
  'GET /nodes/{node}/qemu/{vmid}/cloudinit/dump': (call) => dumpCloudInit(find(call), String(call.given.type)),
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
  if (given.snapshot !== undefined && given.current === 1) {
    const text = "cannot use 'snapshot' parameter with 'current'";
    throw badParameters({ snapshot: text, current: text });
  }
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
  const show = (key: string, raw: string): Json =>
    key === 'cipassword' ? '**********' : typed(world.vmProperties, key, raw);
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
  const history = world.state.rrd[vmid];
  if (history === undefined) {
    throw died(
      `RRD error: opening '/var/lib/rrdcached/db/${world.facts.rrdFolder}/${vmid}': No such file or directory`,
    );
  }
  return rows(world, String(given.timeframe), history);
}

const stepS: Record<string, number> = {
  hour: 60,
  day: 1800,
  week: 10_800,
  month: 43_200,
  year: 604_800,
  decade: 604_800,
};

/** One row a step, most of them empty for something young. */
export function rows(world: World, timeframe: string, history: { time: number; values: JsonObject }[]): Json {
  const step = stepS[timeframe] ?? 60;
  const end = Math.floor(world.nowS() / step) * step;
  // A row is told once its step and one more are over.
  const ripe = history.filter((row) => row.time + 2 * step <= world.nowS());
  const known = new Map(ripe.map((row) => [Math.floor(row.time / step) * step, row.values]));
  return Array.from({ length: 70 }, (_, at) => {
    const time = end - (69 - at) * step;
    return { time, ...known.get(time) };
  });
}

/** Of qcow2 and its like: clones are of base volumes, snapshots are not, copies are of both (volume_has_feature). */
function feature(call: Call): Json {
  const { world, given } = call;
  if (world.state.vms[Number(given.vmid)] === undefined) throw noConfigFile(Number(given.vmid), call.node);
  const vm = find(call);
  const name = given.snapname === undefined ? undefined : String(given.snapname);
  const config = name === undefined ? vm.config : vm.snapshots[name];
  if (config === undefined) throw died(`snapshot '${name}' does not exist`);
  const storages = realDisks(config).map(([, raw]) => storageOf(world, parseVolume(parseDrive(raw).volume).storage));
  const base = name === undefined && vm.config.template === '1';
  const possible = { clone: base, snapshot: !base, copy: true }[String(given.feature)] === true;
  const has = storages.length === 0 || (possible && storages.every((one) => given.feature !== 'clone' || canLink(one)));
  const shared = storages.every((one) => one.shared);
  return { hasFeature: has ? 1 : 0, nodes: shared ? Object.keys(world.state.nodes) : [vm.node] };
}

function create(call: Call): Json {
  const { world, given, caller } = call;
  const vmid = Number(given.vmid);
  const pool = given.pool === undefined ? undefined : String(given.pool);
  checkSshKeys(given.sshkeys === undefined ? undefined : String(given.sshkeys));
  assertQuorum(world);
  if (pool !== undefined && world.state.pools[pool] === undefined) throw forbidden(`pool '${pool}' does not exist`);
  if (given.storage !== undefined) {
    world.permissions.check(caller, `/storage/${String(given.storage)}`, ['Datastore.AllocateSpace']);
  }
  const may = world.permissions.any(caller, `/vms/${vmid}`, ['VM.Allocate']);
  if (!may && !(pool !== undefined && world.permissions.any(caller, `/pool/${pool}`, ['VM.Allocate'])))
    throw forbidden();
  const config = newConfigOf(call);
  for (const [option, value] of config.set) {
    if (/^(?:serial|usb|hostpci|virtiofs)\d+$/.test(option)) {
      checkDeviceRights(world, { caller, vmid, pool }, { option, value, verb: 'set' });
    }
  }
  const known = world.state.vms[vmid];
  if (known) throw died(`unable to create VM ${vmid} - VM ${vmid} already exists on node '${known.node}'`);
  const meta = `creation-qemu=7.2.22,ctime=${world.nowS(call.node)}`;
  const vm = newVm(vmid, call.node, { lock: 'create' });
  world.state.vms[vmid] = vm;
  return world.task(call, 'qmcreate', async (running) => {
    const waiting = { onWait: running.log, signal: running.signal };
    const fill = async () => {
      try {
        await world.pace.wait(300);
        vm.config = { meta, smbios1: `uuid=${crypto.randomUUID()}`, vmgenid: crypto.randomUUID() };
        applyChange(world, vm, config);
      } catch (error) {
        delete world.state.vms[vmid];
        throw new Error(`unable to create VM ${vmid} - ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      if (pool !== undefined) world.state.pools[pool]?.members.push(vmid);
      world.save();
      if (given.start === 1) await startVm(world, vm, running.log);
    };
    await world.locks.within(vmid, fill, waiting);
  });
}
