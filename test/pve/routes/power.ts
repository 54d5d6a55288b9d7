import { died, noConfig, noConfigFile } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { agentEnabled } from '../vm/config.ts';
import { checkLock, startVm, waitForEnd } from '../vm/lifecycle.ts';
import { hibernate, stateStorage } from '../vm/hibernate.ts';
import { resumeHalted } from '../vm/room.ts';
import { refuseRootOnly } from '../vm/rootOnly.ts';
import { assertQuorum } from '../vm/writable.ts';

/** vm_stop waits this long for a guest that it has asked to go. */
const shutdownTimeoutS = 60;
const pingTimeoutMs = 3000;
const rootsOfStart = [
  'stateuri',
  'skiplock',
  'migratedfrom',
  'migration_type',
  'migration_network',
  'targetstorage',
  'force-cpu',
  'with-conntrack-state',
  'nets-host-mtu',
];

export const powerRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/status/start': (call) => {
    refuseRootOnly(call, ...rootsOfStart);
    assertQuorum(call.world);
    return call.world.task(call, 'qmstart', (running) =>
      locked(call, running, async (vm) => startVm(call.world, vm, running.log)),
    );
  },
  'POST /nodes/{node}/qemu/{vmid}/status/stop': (call) => {
    refuseRootOnly(call, 'skiplock', 'keepActive', 'migratedfrom');
    return call.world.task(call, 'qmstop', (running) => stop(call, running));
  },
  'POST /nodes/{node}/qemu/{vmid}/status/shutdown': (call) => {
    refuseRootOnly(call, 'skiplock', 'keepActive');
    refusePaused(call);
    return call.world.task(call, 'qmshutdown', (running) => shutdown(call, running));
  },
  'POST /nodes/{node}/qemu/{vmid}/status/reboot': (call) => {
    refusePaused(call);
    mustRun(call);
    return call.world.task(call, 'qmreboot', (running) => reboot(call, running));
  },
  'POST /nodes/{node}/qemu/{vmid}/status/suspend': (call) => {
    refuseRootOnly(call, 'skiplock');
    const vm = mustRun(call);
    if (call.given.todisk === 1) {
      const storage = String(call.given.statestorage ?? stateStorage(call.world, vm));
      call.world.permissions.check(call.caller, `/vms/${vm.vmid}`, ['VM.Config.Disk']);
      call.world.permissions.check(call.caller, `/storage/${storage}`, ['Datastore.AllocateSpace']);
      return call.world.task(call, 'qmsuspend', (running) => hibernate(call.world, vm, { running, storage }));
    }
    return call.world.task(call, 'qmpause', (running) => locked(call, running, () => pause(call.world, vm)));
  },
  'POST /nodes/{node}/qemu/{vmid}/status/resume': (call) => {
    refuseRootOnly(call, 'skiplock', 'nocheck');
    const vm = find(call);
    if (vm.config.lock !== 'suspended' && !vm.run) throw died(`VM ${vm.vmid} not running`);
    return call.world.task(call, 'qmresume', (running) => locked(call, running, () => resume(call.world, vm, running)));
  },
  'POST /nodes/{node}/qemu/{vmid}/status/reset': (call) => {
    refuseRootOnly(call, 'skiplock');
    mustRun(call);
    return call.world.task(call, 'qmreset', (running) => locked(call, running, (vm) => reset(call.world, vm)));
  },
  'PUT /nodes/{node}/qemu/{vmid}/sendkey': (call) => {
    refuseRootOnly(call, 'skiplock');
    return call.world.locks.within(Number(call.given.vmid), () => {
      const vm = call.world.vm(Number(call.given.vmid), call.node);
      if (!vm.run) throw died(`VM ${vm.vmid} not running`);
      const wrong = wrongKey(String(call.given.key));
      if (wrong !== undefined) throw died(`invalid parameter: ${wrong}`);
      return null;
    });
  },
  'GET /nodes/{node}/qemu/{vmid}/status': (call) => {
    call.world.vm(Number(call.given.vmid), call.node);
    return ['current', 'start', 'stop', 'reset', 'shutdown', 'suspend', 'reboot'].map((subdir) => ({ subdir }));
  },
};

function find(call: Call): VmState {
  const vmid = Number(call.given.vmid);
  const vm = call.world.state.vms[vmid];
  if (vm === undefined || vm.node !== call.node) throw noConfigFile(vmid, call.node);
  return vm;
}

function mustRun(call: Call): VmState {
  const vm = find(call);
  if (!vm.run) throw died(`VM ${vm.vmid} not running`);
  return vm;
}

function refusePaused(call: Call): void {
  const vm = call.world.state.vms[Number(call.given.vmid)];
  if (vm?.run?.paused && call.given.forceStop !== 1) throw died('VM is paused - cannot shutdown');
}

/** Work under the flock; the config is looked for only once the lock is there, as `lock_config` does. */
async function locked(call: Call, running: Running, work: (vm: VmState) => Promise<unknown>): Promise<void> {
  const vmid = Number(call.given.vmid);
  const absent = running.task.type === 'qmstart' ? noConfig : noConfigFile;
  const look = async () => {
    const vm = call.world.state.vms[vmid];
    if (vm === undefined || vm.node !== call.node) throw absent(vmid, call.node);
    await work(vm);
  };
  await call.world.locks.within(vmid, look, { onWait: running.log, signal: running.signal });
}

async function stop(call: Call, running: Running): Promise<void> {
  const { world, given } = call;
  if (given['overrule-shutdown'] === 1) {
    const shutdowns = world.state.taskOrder
      .map((upid) => world.state.tasks[upid])
      .filter((task) => task?.type === 'qmshutdown' && task.id === String(given.vmid) && task.exitstatus === undefined)
      .flatMap((task) => (task ? [task.upid] : []));
    for (const upid of shutdowns) world.tasks.interrupt(upid);
    if (shutdowns.length > 0) running.log(`overruled qmshutdown tasks: ${shutdowns.join(', ')}`);
  }
  await locked(call, running, async (vm) => {
    if (!vm.run) return;
    if (given.skiplock !== 1) checkLock(vm);
    await world.pace.wait(250);
    await world.machines.stop(vm.vmid);
    world.stopped(vm);
  });
}

async function shutdown(call: Call, running: Running): Promise<void> {
  const { world, given } = call;
  await locked(call, running, async (vm) => {
    if (!vm.run) return;
    checkLock(vm);
    const timeoutS = Number(given.timeout ?? shutdownTimeoutS);
    if (vm.run.paused) {
      await world.machines.stop(vm.vmid);
      return world.stopped(vm);
    }
    await askAgent(world, vm, running);
    await world.machines.powerdown(vm.vmid);
    if (await waitForEnd(world, vm, { ms: timeoutS * 1000, signal: running.signal })) return;
    if (running.signal.aborted) throw new Error('received interrupt');
    if (given.forceStop !== 1) throw died('VM quit/powerdown failed - got timeout');
    running.log('VM still running - terminating now with SIGTERM');
    await world.machines.stop(vm.vmid);
    world.stopped(vm);
  });
}

async function reboot(call: Call, running: Running): Promise<void> {
  const { world } = call;
  await shutdown({ ...call, given: { ...call.given, forceStop: 0 } }, running);
  const vm = world.state.vms[Number(call.given.vmid)];
  if (!vm) return;
  // The daemon that saw QEMU end starts it again: no task tells of it.
  void world.pace.wait(600).then(() => world.locks.within(vm.vmid, () => startVm(world, vm, () => {})).catch(() => {}));
}

async function reset(world: World, vm: VmState): Promise<void> {
  checkLock(vm);
  await world.machines.reset(vm.vmid);
}

/** A guest with an agent is asked by it; one that does not answer gets the power button, and the log says so. */
async function askAgent(world: World, vm: VmState, running: Running): Promise<void> {
  if (!agentEnabled(vm.config) || !agentEnabled(vm.run?.startConfig ?? {})) return;
  try {
    await world.machines.agent(vm.vmid, 'guest-ping');
  } catch {
    await world.pace.wait(pingTimeoutMs, running.signal);
    running.log(`QEMU Guest Agent is not running - VM ${vm.vmid} qga command 'guest-ping' failed - got timeout`);
  }
}

/** The part of `ctrl-alt-delete` that QEMU knows no key by. */
function wrongKey(keys: string): string | undefined {
  const known =
    /^(?:[a-z0-9]|f(?:[1-9]|1[0-2])|shift(?:_r)?|alt(?:_r)?|altgr(?:_r)?|ctrl(?:_r)?|menu|esc|minus|equal|backspace|tab|bracket_left|bracket_right|ret|semicolon|apostrophe|grave_accent|backslash|comma|dot|slash|asterisk|spc|caps_lock|num_lock|scroll_lock|kp_\w+|print|sysrq|home|pgup|pgdn|end|left|up|down|right|insert|delete|meta_[lr]|compose|less|0x[0-9a-f]+)$/;
  return keys.split('-').find((key) => !known.test(key));
}

async function pause(world: World, vm: VmState): Promise<void> {
  // A VM that is being backed up may be paused all the same.
  if (vm.config.lock !== 'backup') checkLock(vm);
  await world.machines.pause(vm.vmid);
  if (vm.run) vm.run.paused = true;
}

async function resume(world: World, vm: VmState, running: Running): Promise<void> {
  if (!vm.run) return startVm(world, vm, running.log);
  if (vm.config.lock !== 'backup') checkLock(vm);
  await world.pace.wait(world.facts.resumeMs);
  await world.machines.resume(vm.vmid);
  vm.run.paused = false;
  await resumeHalted(world, vm);
}
