import { died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { resourceOf } from '../vm/status.ts';

export const poolRoutes: Routes = {
  'GET /pools': ({ world, caller, given }) => {
    if (given.poolid !== undefined) return [shown(world, String(given.poolid))];
    return Object.entries(world.state.pools)
      .filter(([pool]) => world.permissions.any(caller, `/pool/${pool}`, ['Pool.Audit']))
      .map(([poolid, pool]): JsonObject =>
        pool.comment === undefined ? { poolid } : { poolid, comment: pool.comment },
      );
  },
  'POST /pools': ({ world, given }) => {
    const poolid = String(given.poolid);
    assertLockable(world, 'create pool');
    if (world.state.pools[poolid]) throw died(`create pool failed: pool '${poolid}' already exists`);
    world.state.pools[poolid] = {
      members: [],
      ...(given.comment === undefined ? {} : { comment: String(given.comment) }),
    };
    world.save();
    return null;
  },
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

function update({ world, caller, given }: Call): Json {
  const poolid = String(given.poolid);
  assertLockable(world, 'update pools');
  const pool = world.state.pools[poolid];
  if (pool === undefined) throw died(`update pools failed: pool '${poolid}' does not exist`);
  if (given.comment !== undefined) pool.comment = String(given.comment);
  const vmids =
    given.vms === undefined
      ? []
      : String(given.vms)
          .split(/[,;\s]+/)
          .map(Number);
  for (const vmid of vmids) {
    world.permissions.check(caller, `/vms/${vmid}`, ['VM.Allocate']);
    const current = world.poolOf(vmid);
    if (given.delete === 1) {
      if (current !== poolid) throw died(`update pools failed: VM ${vmid} is not a pool member`);
      pool.members = pool.members.filter((one) => one !== vmid);
      continue;
    }
    if (current === poolid) throw died(`update pools failed: VM ${vmid} is already a pool member`);
    if (current !== undefined && given['allow-move'] !== 1) {
      throw died(`update pools failed: VM ${vmid} belongs already to pool '${current}' and 'allow-move' is not set`);
    }
    const former = current === undefined ? undefined : world.state.pools[current];
    if (former) former.members = former.members.filter((one) => one !== vmid);
    pool.members.push(vmid);
  }
  world.save();
  return null;
}

function remove({ world, given }: Call): Json {
  const poolid = String(given.poolid);
  assertLockable(world, 'delete pool');
  const pool = world.state.pools[poolid];
  if (pool === undefined) throw died(`delete pool failed: pool '${poolid}' does not exist`);
  if (pool.members.length > 0)
    throw died(`delete pool failed: pool '${poolid}' is not empty (contains VM ${pool.members[0]})`);
  delete world.state.pools[poolid];
  world.save();
  return null;
}

function assertLockable(world: World, what: string): void {
  if (world.state.quorate) return;
  throw died(`${what} failed: error during cfs-locked 'file-user_cfg' operation: no quorum!`);
}
