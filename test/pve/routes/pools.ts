import { died, Refusal } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { resourceOf } from '../vm/status.ts';

export const poolRoutes: Routes = {
  'GET /pools': ({ world, caller, given }) => {
    if (given.poolid !== undefined) {
      world.permissions.check(caller, `/pool/${String(given.poolid)}`, ['Pool.Audit']);
      return [shown(world, String(given.poolid))];
    }
    return Object.entries(world.state.pools)
      .filter(([pool]) => world.permissions.any(caller, `/pool/${pool}`, ['Pool.Audit']))
      .map(([poolid, pool]): JsonObject =>
        pool.comment === undefined ? { poolid } : { poolid, comment: pool.comment },
      );
  },
  'POST /pools': create,
  'GET /pools/{poolid}': ({ world, given }) => shown(world, String(given.poolid)),
  'PUT /pools/{poolid}': update,
  'PUT /pools': update,
  'DELETE /pools/{poolid}': remove,
  'DELETE /pools': remove,
};

function shown(world: World, poolid: string): JsonObject {
  const pool = world.state.pools[poolid];
  if (pool === undefined) throw died(`pool '${poolid}' does not exist`);
  const members = pool.members.flatMap((vmid) => {
    const vm = world.state.vms[vmid];
    return vm ? [resourceOf(world, vm)] : [];
  });
  return { poolid, members, ...(pool.comment === undefined ? {} : { comment: pool.comment }) };
}

/** Whatever goes wrong below user.cfg's lock gets its words before it, an exception with its status (lock_user_config). */
function locked(world: World, what: string, work: () => void): Json {
  assertLockable(world, what);
  try {
    work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw died(`${what} failed: ${error.status === 500 ? '' : `${error.status} `}${error.reason}`);
  }
  world.save();
  return null;
}

function update(call: Call): Json {
  const { world, given } = call;
  const poolid = String(given.poolid);
  return locked(world, 'update pools', () => {
    const pool = world.state.pools[poolid];
    if (pool === undefined) throw died(`pool '${poolid}' does not exist`);
    // What is given is looked at in turn, and nothing is kept of a call that fails.
    const kept = structuredClone(world.state.pools);
    try {
      if (given.comment !== undefined) pool.comment = String(given.comment);
      for (const vmid of listed(given.vms)) updateVm(call, poolid, Number(vmid));
      for (const storage of listed(given.storage)) updateStorage(call, poolid, storage);
    } catch (error) {
      world.state.pools = kept;
      throw error;
    }
  });
}

function listed(value: unknown): string[] {
  const parts = value === undefined ? [] : String(value).split(/[,;\s\0]+/);
  return parts.filter((one) => one !== '');
}

function updateVm({ world, caller, given }: Call, poolid: string, vmid: number): void {
  const { pools } = world.state;
  world.permissions.checkAny(caller, `/vms/${vmid}`, ['Permissions.Modify', 'VM.Allocate']);
  const current = world.poolOf(vmid);
  const pool = pools[poolid];
  if (given.delete === 1) {
    if (current !== poolid) throw died(`VM ${vmid} is not a pool member`);
    if (pool) pool.members = pool.members.filter((one) => one !== vmid);
    return;
  }
  if (current === poolid) throw died(`VM ${vmid} is already a pool member`);
  if (current !== undefined) {
    if (given['allow-move'] !== 1) {
      throw died(`VM ${vmid} belongs already to pool '${current}' and 'allow-move' is not set`);
    }
    world.permissions.check(caller, `/pool/${current}`, ['Pool.Allocate']);
    const former = pools[current];
    if (former) former.members = former.members.filter((one) => one !== vmid);
  }
  pool?.members.push(vmid);
}

function updateStorage({ world, caller, given }: Call, poolid: string, storage: string): void {
  world.permissions.checkAny(caller, `/storage/${storage}`, ['Permissions.Modify', 'Datastore.Allocate']);
  const pool = world.state.pools[poolid];
  const has = pool?.storages?.includes(storage) === true;
  if (given.delete === 1) {
    if (!has) throw died(`Storage '${storage}' is not a pool member`);
    if (pool) pool.storages = pool.storages?.filter((one) => one !== storage);
    return;
  }
  if (has) throw died(`Storage '${storage}' is already a pool member`);
  if (pool) pool.storages = [...(pool.storages ?? []), storage];
}

function remove({ world, given }: Call): Json {
  const poolid = String(given.poolid);
  return locked(world, 'delete pool', () => {
    const pool = world.state.pools[poolid];
    if (pool === undefined) throw died(`pool '${poolid}' does not exist`);
    const [vmid] = pool.members.filter((one) => world.state.vms[one] !== undefined);
    if (vmid !== undefined) throw died(`pool '${poolid}' is not empty (contains VM ${vmid})`);
    const [storage] = (pool.storages ?? []).filter((one) => world.state.storages[one] !== undefined);
    if (storage !== undefined) throw died(`pool '${poolid}' is not empty (contains storage '${storage}')`);
    const child = Object.keys(world.state.pools).find((one) => one.startsWith(`${poolid}/`));
    if (child !== undefined) throw died(`pool '${poolid}' is not empty (contains pool '${child}')`);
    delete world.state.pools[poolid];
  });
}

function create({ world, given }: Call): Json {
  const poolid = String(given.poolid);
  return locked(world, 'create pool', () => {
    if (world.state.pools[poolid]) throw died(`pool '${poolid}' already exists`);
    const parent = poolid.includes('/') ? poolid.slice(0, poolid.lastIndexOf('/')) : undefined;
    if (parent !== undefined && world.state.pools[parent] === undefined) {
      throw died(`parent '${parent}' of pool '${poolid}' does not exist`);
    }
    world.state.pools[poolid] = { members: [], ...(given.comment ? { comment: String(given.comment) } : {}) };
  });
}

function assertLockable(world: World, what: string): void {
  if (world.state.quorate) return;
  throw died(`${what} failed: error during cfs-locked 'file-user_cfg' operation: no quorum!`);
}
