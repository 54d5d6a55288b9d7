import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { drives, driveSize, isCdrom, isCloudInit, parseDrive } from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { refuseRootOnly } from '../vm/rootOnly.ts';
import { assertSpace, NoSpace, parseVolume, storageOf } from '../vm/volumes.ts';
import { assertQuorum } from '../vm/writable.ts';

/** As PVE::API2::Qemu and PVE::QemuMigrate do it: order of checks, phases, their texts. */
export const migrateRoutes: Routes = {
  'GET /nodes/{node}/qemu/{vmid}/migrate': precheck,
  'POST /nodes/{node}/qemu/{vmid}/migrate': migrate,
};

function precheck(call: Call): Json {
  const { world } = call;
  assertQuorum(world);
  const vm = world.vm(Number(call.given.vmid), call.node);
  checkLock(vm);
  const answer: JsonObject = {
    running: vm.run ? 1 : 0,
    local_disks: localVolumes(world, vm).map(([key, raw]) => ({
      volid: parseDrive(raw).volume,
      drivename: key,
      cdrom: isCdrom(raw) ? 1 : 0,
      is_unused: 0,
      is_attached: 1,
      size: driveSize(raw),
    })),
    local_resources: [],
    'mapped-resources': [],
    'mapped-resource-info': {},
  };
  // 8 asks where its storages are only for a VM that is off.
  if (vm.run && !world.facts.precheckTellsNodes) return answer;
  const others = Object.keys(world.state.nodes).filter((node) => node !== vm.node);
  const missing = new Map(others.map((node) => [node, unavailable(world, vm, node)]));
  return {
    ...answer,
    allowed_nodes: others.filter((node) => missing.get(node)?.length === 0),
    not_allowed_nodes: Object.fromEntries(
      [...missing].filter(([, all]) => all.length > 0).map(([node, all]) => [node, { unavailable_storages: all }]),
    ),
    ...(world.facts.precheckTellsNodes ? { 'has-dbus-vmstate': 1 } : {}),
  };
}

/** Volumes of the config on storages that are a node's own; also the generated drive of cloud-init. */
function localVolumes(world: World, vm: VmState): [string, string][] {
  return drives(vm.config).filter(([, raw]) => {
    const { volume } = parseDrive(raw);
    return volume.includes(':') && !storageOf(world, parseVolume(volume).storage).shared;
  });
}

function unavailable(world: World, vm: VmState, node: string): string[] {
  const storages = drives(vm.config).flatMap(([, raw]) => {
    const { volume } = parseDrive(raw);
    return volume.includes(':') ? [parseVolume(volume).storage] : [];
  });
  return [...new Set(storages)].filter((name) => {
    const { nodes, disabled } = storageOf(world, name);
    return disabled === true || (nodes !== undefined && !nodes.includes(node));
  });
}

function migrate(call: Call): Json {
  const { world, given } = call;
  const target = String(given.target);
  if (target === call.node) throw badParameters({ target: 'target is local node.' });
  assertQuorum(world);
  if (world.state.nodes[target] === undefined) throw died(`no such cluster node '${target}'`);
  refuseRootOnly(call, 'force', 'migration_type', 'migration_network');
  const vm = world.vm(Number(given.vmid), call.node);
  checkLock(vm);
  if (vm.run && given.online !== 1) throw died("can't migrate running VM without --online");
  const [lacking] = unavailable(world, vm, target);
  if (lacking !== undefined) throw died(`storage '${lacking}' is not available on node '${target}'`);
  return world.task(call, 'qmigrate', (running) => new Migration(call, vm, running).run(target));
}

class Migration {
  readonly #world: World;
  readonly #withLocalDisks: boolean;
  readonly #online: boolean;
  readonly #beganMs: number;

  constructor(
    call: Call,
    private readonly vm: VmState,
    private readonly running: Running,
  ) {
    this.#world = call.world;
    this.#online = call.given.online === 1;
    this.#withLocalDisks = call.given['with-local-disks'] === 1;
    this.#beganMs = call.world.clock.nowMs();
  }

  async run(target: string): Promise<void> {
    const { vm } = this;
    try {
      const waiting = { onWait: this.running.log, signal: this.running.signal };
      await this.#world.locks.within(vm.vmid, () => this.#move(target), waiting);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log(`ERROR: migration aborted (duration ${this.#duration()}): ${why}`);
      throw new Error('migration aborted', { cause: error });
    }
    this.#log(`migration finished successfully (duration ${this.#duration()})`);
  }

  async #move(target: string): Promise<void> {
    const { vm } = this;
    const node = this.#world.state.nodes[target]!;
    const isRunning = vm.run !== null;
    checkLock(vm);
    if (isRunning && !this.#online) throw new Error("can't migrate running VM without --online");
    if (!node.online) throw new Error("Can't connect to destination address using public key");
    this.#log(`starting migration of VM ${vm.vmid} to node '${target}' (${node.ip})`);
    vm.config.lock = 'migrate';
    this.#world.save();
    try {
      this.#scan(isRunning);
      await this.#copyOffline(target, isRunning);
      if (isRunning) await this.#live(target);
      this.#heed();
    } catch (error) {
      this.#log(`ERROR: ${(error as Error).message}`);
      this.#log('aborting phase 1 - cleanup resources');
      delete vm.config.lock;
      this.#world.save();
      throw error;
    }
    await this.#settle(target);
  }

  #scan(isRunning: boolean): void {
    const volumes = localVolumes(this.#world, this.vm);
    for (const [, raw] of volumes) {
      const { volume } = parseDrive(raw);
      const kind = isCloudInit(raw) ? 'generated disk' : 'local disk';
      this.#log(`found ${kind} '${volume}' (${isCloudInit(raw) ? 'in current VM config' : 'attached'})`);
    }
    const disks = volumes.filter(([, raw]) => !isCdrom(raw)).map(([, raw]) => parseDrive(raw).volume);
    const found = 'Problem found while scanning volumes - ';
    if (isRunning && !this.#withLocalDisks && disks.length > 0) {
      this.#log(
        `WARN: can't migrate local disk '${disks[0]}': can't live migrate attached local disks without with-local-disks option`,
      );
      throw new Error(`${found}can't migrate VM - check log`);
    }
    for (const volume of disks) {
      const base = /(base-[^/]+)\//.exec(volume)?.[1];
      if (base !== undefined) {
        const where = 'at /usr/share/perl5/PVE/QemuMigrate.pm line 676.';
        throw new Error(`${found}can't migrate '${volume}' as it's a clone of '${base}' ${where}`);
      }
    }
  }

  /** Disks of a running VM are mirrored live; all others are copied first. */
  async #copyOffline(target: string, isRunning: boolean): Promise<void> {
    const volumes = localVolumes(this.#world, this.vm);
    for (const [, raw] of volumes) {
      const { volume } = parseDrive(raw);
      const { storage } = parseVolume(volume);
      try {
        assertSpace(this.#world, { storage, node: target }, Math.floor(driveSize(raw) / 4));
      } catch (error) {
        if (!(error instanceof NoSpace)) throw error;
        throw new Error(`storage migration for '${volume}' to storage '${storage}' failed - No space left on device`, {
          cause: error,
        });
      }
      if (isRunning && !isCdrom(raw)) continue;
      this.#log('copying local disk images');
      await this.#world.pace.wait(400, this.running.signal);
      this.#log(`volume '${volume}' is '${volume}' on the target`);
    }
    await this.#world.pace.wait(300, this.running.signal);
  }

  async #live(target: string): Promise<void> {
    const { vmid } = this.vm;
    const uri = `unix:/run/qemu-server/${vmid}.migrate`;
    this.#log(`starting VM ${vmid} on remote node '${target}'`);
    await this.#world.pace.wait(800, this.running.signal);
    this.#log('start remote tunnel');
    this.#log(`starting online/live migration on ${uri}`);
    this.#log('set migration capabilities');
    this.#log('migration downtime limit: 100 ms');
    this.#log(`start migrate command to ${uri}`);
    await this.#world.pace.wait(1000, this.running.signal);
    this.#heed();
    if (this.vm.run === null) throw new Error('online migrate failure - aborting');
    this.#log('migration status: completed');
  }

  /** The config is the other node's from one moment to the next, still locked; that node has not told of it yet. */
  async #settle(target: string): Promise<void> {
    const { vm } = this;
    vm.node = target;
    delete vm.sample;
    if (vm.run) vm.run = { ...vm.run, pid: this.#world.state.nextPid++, startedAtMs: this.#world.clock.nowMs() };
    this.#world.save();
    await this.#world.pace.wait(250);
    delete vm.config.lock;
    this.#world.save();
  }

  #heed(): void {
    if (this.running.signal.aborted) throw new Error('interrupted by signal');
  }

  #log(text: string): void {
    const stamp = new Date(this.#world.clock.nowMs()).toISOString();
    this.running.log(`${stamp.slice(0, 10)} ${stamp.slice(11, 19)} ${text}`);
  }

  #duration(): string {
    const seconds = Math.floor((this.#world.clock.nowMs() - this.#beganMs) / 1000);
    return [3600, 60, 1].map((unit) => String(Math.floor(seconds / unit) % 60).padStart(2, '0')).join(':');
  }
}
