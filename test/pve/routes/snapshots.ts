import { died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Config, VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { allocateState, runningFacts } from '../vm/hibernate.ts';
import { digestOf, parseDrive, realDisks, shownConfig } from '../vm/config.ts';
import { boot, checkLock, holdForCleanup } from '../vm/lifecycle.ts';
import { assertWritable } from '../vm/writable.ts';

/** What of a config no snapshot takes (__snapshot_copy_config of AbstractConfig.pm). */
const notTaken = /^(?:snaptime|vmstate|lock|digest|description|unused\d+)$/;

/** What belongs to the snapshot and not to the VM that is rolled back to it. */
const ownKeys = [
  'snaptime',
  'vmstate',
  'runningmachine',
  'runningcpu',
  'running-nets-host-mtu',
  'description',
  'parent',
];

export const snapshotRoutes: Routes = {
  'GET /nodes/{node}/qemu/{vmid}/snapshot': list,
  'POST /nodes/{node}/qemu/{vmid}/snapshot': (call) => {
    const name = String(call.given.snapname);
    if (name === 'current' || name.toLowerCase() === 'pending') {
      throw died(`unable to use snapshot name '${name.toLowerCase()}' (reserved name)`);
    }
    const vm = call.world.vm(Number(call.given.vmid), call.node);
    return call.world.task(call, 'qmsnapshot', (running) => take(call, vm, running));
  },
  'GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}': () => ['rollback', 'config'].map((cmd) => ({ cmd })),
  'GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config': (call) => {
    const vm = call.world.vm(Number(call.given.vmid), call.node);
    return shownConfig(call.world.vmProperties, snapshotOf(vm, String(call.given.snapname)));
  },
  'PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config': async (call) => {
    const { description } = call.given;
    if (description === undefined) return null;
    await call.world.locks.within(Number(call.given.vmid), () => {
      const vm = call.world.vm(Number(call.given.vmid), call.node);
      checkLock(vm);
      snapshotOf(vm, String(call.given.snapname)).description = String(description);
    });
    return null;
  },
  'POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback': (call) => {
    return call.world.task(call, 'qmrollback', (running) => rollback(call, running));
  },
  'DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}': (call) => {
    return call.world.task(call, 'qmdelsnapshot', (running) => remove(call, running));
  },
};

function snapshotOf(vm: VmState, name: string): Config {
  const snapshot = vm.snapshots[name];
  if (snapshot === undefined) throw died(`snapshot '${name}' does not exist`);
  return snapshot;
}

function list(call: Call): Json {
  const vm = call.world.vm(Number(call.given.vmid), call.node);
  const lines: JsonObject[] = Object.entries(vm.snapshots).map(([name, config]) => ({
    name,
    description: config.description ?? '',
    snaptime: Number(config.snaptime),
    vmstate: config.vmstate === undefined ? 0 : 1,
    ...(config.parent === undefined ? {} : { parent: config.parent }),
  }));
  const current: JsonObject = {
    name: 'current',
    description: 'You are here!',
    digest: digestOf(vm),
    running: vm.run ? 1 : 0,
    ...(vm.config.parent === undefined ? {} : { parent: vm.config.parent }),
  };
  return [...lines, current];
}

async function locked(call: Call, running: Running, work: () => Promise<void>): Promise<void> {
  const waiting = { onWait: running.log, signal: running.signal };
  await call.world.locks.within(Number(call.given.vmid), work, waiting);
}

async function take(call: Call, vm: VmState, running: Running): Promise<void> {
  const { world, given } = call;
  const name = String(given.snapname);
  await locked(call, running, async () => {
    if (vm.config.template === '1') throw died("you can't take a snapshot if it's a template");
    checkLock(vm);
    if (vm.snapshots[name] !== undefined) throw died(`snapshot name '${name}' already used`);
    assertWritable(world, vm);
    const withMemory = given.vmstate === 1 && vm.run !== null;
    const taken = Object.entries(vm.config).filter(([key]) => !notTaken.test(key));
    const snapshot: Config = { ...Object.fromEntries(taken), snaptime: String(world.nowS(vm.node)) };
    if (given.description) snapshot.description = String(given.description);
    if (withMemory) await saveMemory(world, vm, { name, snapshot, running });
    for (const [key, raw] of realDisks(vm.config)) {
      running.log(`snapshotting 'drive-${key}' (${parseDrive(raw).volume})`);
      if (vm.run && world.facts.snapshotLogsKind) running.log('internal qemu snapshot');
    }
    await world.pace.wait(150);
    vm.snapshots[name] = snapshot;
    vm.config.parent = name;
    world.save();
  });
}

async function saveMemory(
  world: World,
  vm: VmState,
  one: { name: string; snapshot: Config; running: Running },
): Promise<void> {
  const { name, snapshot, running } = one;
  const volume = allocateState(world, vm, { suffix: name, log: running.log });
  running.log(`saving VM state and RAM using storage '${volume.split(':')[0]}'`);
  running.log('4.01 MiB in 0s');
  await world.pace.wait(600);
  await world.machines.saveMemory(vm.vmid, volume);
  const used = (world.machines.usage(vm.vmid).memoryBytes / 1024 ** 2).toFixed(2);
  running.log(`completed saving the VM state in 0s, saved ${used} MiB`);
  Object.assign(snapshot, { vmstate: volume, ...runningFacts(world) });
}

async function rollback(call: Call, running: Running): Promise<void> {
  const { world, given } = call;
  const name = String(given.snapname);
  await locked(call, running, async () => {
    const vm = world.vm(Number(given.vmid), call.node);
    if (vm.config.template === '1') throw died("you can't rollback if vm is a template");
    const snapshot = snapshotOf(vm, name);
    checkLock(vm);
    assertWritable(world, vm);
    const wasRunning = vm.run !== null;
    if (wasRunning) {
      await world.machines.stop(vm.vmid);
      world.stopped(vm);
    }
    await world.pace.wait(500);
    const kept = Object.entries(vm.config).filter(([key]) => key === 'description' || key.startsWith('unused'));
    const taken = Object.entries(snapshot).filter(([key]) => !ownKeys.includes(key));
    vm.config = { ...Object.fromEntries(taken), parent: name, ...Object.fromEntries(kept) };
    if (vm.config.vmgenid !== undefined) vm.config.vmgenid = crypto.randomUUID();
    if (snapshot.vmstate === undefined && given.start !== 1) return;
    running.log('generating cloud-init ISO');
    if (world.facts.hostMtu && snapshot.vmstate !== undefined) {
      running.log("netdev net0: not adding 'host_mtu' parameter for migration compat");
    }
    await world.pace.wait(2500);
    await boot(world, vm, snapshot.vmstate);
  });
  const vm = world.state.vms[Number(given.vmid)];
  if (vm?.run) holdForCleanup(world, vm);
}

async function remove(call: Call, running: Running): Promise<void> {
  const { world, given } = call;
  const name = String(given.snapname);
  await locked(call, running, async () => {
    const vm = world.vm(Number(given.vmid), call.node);
    const gone = snapshotOf(vm, name);
    checkLock(vm);
    if (vm.config.template === '1') throw died("you can't delete a snapshot if vm is a template");
    assertWritable(world, vm);
    await world.pace.wait(200);
    for (const config of [vm.config, ...Object.values(vm.snapshots)]) {
      if (config.parent !== name) continue;
      if (gone.parent === undefined) delete config.parent;
      else config.parent = gone.parent;
    }
    delete vm.snapshots[name];
    world.save();
  });
}
