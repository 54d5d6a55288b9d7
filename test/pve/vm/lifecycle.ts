import { died } from '../api/refusal.ts';
import type { Config, VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { agentEnabled, bridgeOf, driveSize, isCloudInit, macOf, realDisks } from './config.ts';
import type { MachineSpec } from './machines.ts';
import { demandRoomToStart } from './room.ts';
import { volumeExists } from './volumes.ts';

export function newVm(vmid: number, node: string, config: Config): VmState {
  return { vmid, node, config, pending: {}, pendingDelete: [], snapshots: {}, run: null };
}

export function checkLock(vm: VmState): void {
  if (vm.config.lock !== undefined) throw died(`VM is locked (${vm.config.lock})`);
}

/** The start of a VM under its lock: QEMU's refusals and PVE's own, in their words. */
export async function startVm(world: World, vm: VmState, log: (text: string) => void): Promise<void> {
  if (vm.config.template === '1') throw died("you can't start a vm if it's a template");
  const suspended = vm.config.lock === 'suspended';
  if (!suspended) checkLock(vm);
  if (vm.run) throw died(`VM ${vm.vmid} already running`);
  const missing = snippetMissing(world, vm.config.cicustom);
  if (missing !== undefined) {
    await world.pace.wait(80);
    throw died(`volume '${missing}' does not exist`);
  }
  world.applyPending(vm);
  if (Object.values(vm.config).some((raw) => isCloudInit(raw))) log('generating cloud-init ISO');
  demandRoomToStart(world, vm, log);
  if (suspended) log('Resuming suspended VM');
  const state = suspended ? vm.config.vmstate : undefined;
  await world.pace.wait(150);
  checkCpus(world, vm);
  checkBridges(world, vm, log);
  await world.pace.wait(suspended ? 850 : 1100);
  checkMemory(world, vm, log);
  await boot(world, vm, state);
  if (!suspended) return;
  if (world.facts.hostMtu) log("netdev net0: not adding 'host_mtu' parameter for migration compat");
  log(`activating and using '${state}' as vmstate`);
  log('Resumed VM, removing state');
  holdForCleanup(world, vm);
  for (const key of ['lock', 'vmstate', 'runningmachine', 'runningcpu', 'running-nets-host-mtu']) delete vm.config[key];
}

/**
 * QEMU was replaced within moments by one with memory: PVE's cleanup of the former one holds the lock, on versions that do
 * so.
 */
export function holdForCleanup(world: World, vm: VmState): void {
  const { cleanupHoldsLockMs } = world.facts;
  if (vm.run && cleanupHoldsLockMs > 0)
    void world.pace.wait(1).then(() => world.locks.hold(vm.vmid, cleanupHoldsLockMs));
}

/** Runs the machine and writes down that it runs. */
export async function boot(world: World, vm: VmState, memory?: string): Promise<void> {
  const pid = world.state.nextPid++;
  await world.machines.start(specOf(vm), memory);
  vm.run = { pid, startedAtMs: world.clock.nowMs(), paused: false, startConfig: { ...vm.config } };
  world.save();
}

function specOf(vm: VmState): MachineSpec {
  const { config } = vm;
  const addresses = Object.keys(config)
    .filter((key) => key.startsWith('ipconfig'))
    .flatMap((key) => /(?:^|,)ip=([^,]+)/.exec(config[key] ?? '')?.[1] ?? []);
  return {
    vmid: vm.vmid,
    name: config.name ?? `VM ${vm.vmid}`,
    memoryMiB: Number(/\d+/.exec(config.memory ?? '512')?.[0] ?? 512),
    cores: Number(config.cores ?? 1) * Number(config.sockets ?? 1),
    diskBytes: Math.max(0, ...realDisks(config).map(([, raw]) => driveSize(raw))),
    mac: macOf(config.net0),
    bootable: realDisks(config).length > 0,
    agent: agentEnabled(config),
    addresses,
    cloudInit: { user: config.ciuser, keys: config.sshkeys, hostname: config.name ?? `VM${vm.vmid}` },
  };
}

function snippetMissing(world: World, cicustom: string | undefined): string | undefined {
  const volumes = (cicustom ?? '').split(',').flatMap((part) => part.split('=')[1] ?? []);
  return volumes.find((volume) => !volumeExists(world, volume));
}

/** A VM may have no more CPUs than its node. */
function checkCpus(world: World, vm: VmState): void {
  const allowed = world.state.nodes[vm.node]?.cpus ?? Number.POSITIVE_INFINITY;
  const wanted = Number(vm.config.cores ?? 1) * Number(vm.config.sockets ?? 1);
  if (wanted > allowed) throw died(`MAX ${allowed} vcpus allowed per VM on this node`);
}

function checkBridges(world: World, vm: VmState, log: (text: string) => void): void {
  for (const [key, raw] of Object.entries(vm.config)) {
    const bridge = /^net\d+$/.test(key) ? bridgeOf(raw) : undefined;
    if (bridge === undefined || world.state.bridges.includes(bridge)) continue;
    if (world.facts.bridgeCheckedFirst) throw died(`bridge '${bridge}' does not exist`);
    const tap = `tap${vm.vmid}i${key.slice(3)}`;
    const scripts = '/usr/libexec/qemu-server/pve-bridge';
    log(`bridge '${bridge}' does not exist`);
    log(
      `kvm: -netdev type=tap,id=${key},ifname=${tap},script=${scripts},downscript=${scripts}down: network script ${scripts} failed with status 512`,
    );
    throw died('start failed: QEMU exited with code 1');
  }
}

function checkMemory(world: World, vm: VmState, log: (text: string) => void): void {
  const bytes = Number(/\d+/.exec(vm.config.memory ?? '512')?.[0] ?? 512) * 1024 ** 2;
  if (bytes <= (world.state.nodes[vm.node]?.memoryBytes ?? Number.POSITIVE_INFINITY)) return;
  log("kvm: cannot set up guest memory 'pc.ram': Cannot allocate memory");
  throw died('start failed: QEMU exited with code 1');
}

/** Waits until the guest went, in small steps. @returns false when it did not within `ms` or the task was stopped. */
export async function waitForEnd(
  world: World,
  vm: VmState,
  limit: { ms: number; signal: AbortSignal },
): Promise<boolean> {
  for (let waited = 0; waited < limit.ms; waited += 100) {
    if (vm.run === null) return true;
    if (limit.signal.aborted) return false;
    await world.pace.wait(100, limit.signal);
  }
  return vm.run === null;
}
