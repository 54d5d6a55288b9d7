import { badParameters } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { resourceOf } from '../vm/status.ts';
import { storageLines } from './storages.ts';
import { nodeLine } from './nodes.ts';

export const clusterRoutes: Routes = {
  'GET /version': ({ world }) => ({
    version: world.facts.version,
    release: world.facts.release,
    repoid: world.facts.repoid,
  }),
  'GET /cluster/resources': resources,
  'GET /cluster/nextid': nextId,
  'GET /cluster/status': status,
  'GET /cluster/options': () => ({ mac_prefix: 'BC:24:11', description: '', 'allowed-tags': [] }),
  'GET /cluster/ha/status/current': ({ world, node }) => {
    const quorum = {
      id: 'quorum',
      node,
      quorate: world.state.quorate ? 1 : 0,
      status: world.state.quorate ? 'OK' : 'No quorum on node',
      type: 'quorum',
    };
    const fencing = {
      id: 'fencing',
      node,
      type: 'fencing',
      status: 'standby (CRM watchdog standby)',
      'armed-state': 'standby',
    };
    return world.facts.haFencing ? [quorum, fencing] : [quorum];
  },
  'GET /cluster/ha/resources': () => [],
};

function resources(call: Call): Json {
  const { world, caller, given } = call;
  const type = given.type;
  const audit = (path: string, ...rights: string[]) => world.permissions.any(caller, path, rights);
  const lines: JsonObject[] = [];
  if (type === undefined) {
    for (const pool of Object.keys(world.state.pools)) {
      if (audit(`/pool/${pool}`, 'Pool.Audit')) lines.push({ id: `/pool/${pool}`, pool, type: 'pool' });
    }
  }
  if (type === undefined || type === 'vm') {
    for (const vm of Object.values(world.state.vms)) {
      if (!audit(`/vms/${vm.vmid}`, 'VM.Audit')) continue;
      const pool = world.poolOf(vm.vmid);
      const line = resourceOf(world, vm);
      lines.push(pool === undefined ? line : { ...line, pool });
    }
  }
  if (type === undefined || type === 'node') {
    for (const node of Object.keys(world.state.nodes)) {
      const line = nodeLine(world, node, audit(`/nodes/${node}`, 'Sys.Audit'));
      delete line.ssl_fingerprint;
      lines.push({ ...line, 'cgroup-mode': 1 });
    }
  }
  if (type === undefined || type === 'storage') lines.push(...storageLines(world, caller));
  return lines;
}

/** A hint and nothing more: nothing is reserved. */
function nextId({ world, given }: Call): Json {
  if (given.vmid !== undefined) {
    const vmid = Number(given.vmid);
    if (world.state.vms[vmid] !== undefined) throw badParameters({ vmid: `VM ${vmid} already exists` });
    return String(vmid);
  }
  return String(firstFree(world));
}

function firstFree(world: World): number {
  for (let vmid = 100; vmid < 1_000_000; vmid++) if (world.state.vms[vmid] === undefined) return vmid;
  throw badParameters({ vmid: 'unable to get any free VMID in range [100, 1000000]' });
}

function status({ world, node }: Call): Json {
  const names = Object.keys(world.state.nodes);
  const nodes = names.map((name, at) => ({
    id: `node/${name}`,
    name,
    type: 'node',
    ip: world.state.nodes[name]?.ip ?? '',
    level: '',
    local: name === node ? 1 : 0,
    nodeid: names.length === 1 ? 0 : at + 1,
    online: world.state.nodes[name]?.online ? 1 : 0,
  }));
  if (names.length === 1) return nodes;
  const quorate = world.state.quorate ? 1 : 0;
  return [
    { id: 'cluster', name: 'double', nodes: names.length, quorate, type: 'cluster', version: names.length },
    ...nodes,
  ];
}
