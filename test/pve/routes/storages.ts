import { createHash } from 'node:crypto';
import { badParameters } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { StorageState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { driveSize, drives, isCloudInit, parseDrive } from '../vm/config.ts';
import { fileKey, parseVolume, storageOf, usedBytes } from '../vm/volumes.ts';

const rights = ['Datastore.Audit', 'Datastore.AllocateSpace'];

export const storageRoutes: Routes = {
  'GET /storage': ({ world, caller, given }) =>
    visible(world, caller)
      .filter(([, one]) => given.type === undefined || one.type === given.type)
      .map(([name, one]) => configOf(world, name, one)),
  'GET /storage/{storage}': ({ world, given }) => {
    const name = String(given.storage);
    return configOf(world, name, storageOf(world, name));
  },
  'GET /nodes/{node}/storage': list,
  'GET /nodes/{node}/storage/{storage}': () =>
    ['content', 'file-restore', 'prunebackups', 'rrd', 'rrddata', 'status', 'upload'].map((subdir) => ({ subdir })),
  'GET /nodes/{node}/storage/{storage}/status': ({ world, given, node }) => {
    const name = String(given.storage);
    const storage = world.state.storages[name];
    if (storage === undefined) throw badParameters({ storage: 'No such storage.' });
    return statusOf(world, [name, storage], node);
  },
  'GET /nodes/{node}/storage/{storage}/content': content,
};

function visible(world: World, caller: string): [string, StorageState][] {
  return Object.entries(world.state.storages).filter(([name]) =>
    world.permissions.any(caller, `/storage/${name}`, rights),
  );
}

function configOf(world: World, name: string, one: StorageState): JsonObject {
  const digest = createHash('sha1').update(JSON.stringify(world.state.storages)).digest('hex');
  return {
    storage: name,
    type: one.type,
    content: one.content.join(','),
    digest,
    ...(one.path === undefined ? {} : { path: one.path }),
    ...(one.shared && one.type === 'dir' ? { shared: 1 } : {}),
  };
}

function statusOf(world: World, [name, one]: [string, StorageState], node: string): JsonObject {
  const used = usedBytes(world, name, node);
  return {
    type: one.type,
    content: one.content.join(','),
    active: one.disabled ? 0 : 1,
    enabled: one.disabled ? 0 : 1,
    shared: one.shared ? 1 : 0,
    total: one.totalBytes,
    used,
    avail: one.totalBytes - used,
  };
}

function on(one: StorageState, node: string): boolean {
  return one.nodes === undefined || one.nodes.includes(node);
}

function list({ world, caller, given, node }: Call): Json {
  const wanted = given.content === undefined ? [] : String(given.content).split(',');
  return visible(world, caller)
    .filter(([, one]) => on(one, node) && wanted.every((kind) => one.content.includes(kind)))
    .filter(
      ([name, one]) =>
        (given.storage === undefined || given.storage === name) && !(given.enabled === 1 && one.disabled),
    )
    .map(([name, one]) => {
      const status = statusOf(world, [name, one], node);
      return { storage: name, ...status, used_fraction: Number(status.used) / Math.max(1, one.totalBytes) };
    });
}

export function storageLines(world: World, caller: string): JsonObject[] {
  const nodes = Object.keys(world.state.nodes);
  return visible(world, caller).flatMap(([name, one]) =>
    nodes
      .filter((node) => on(one, node))
      .map((node) => ({
        id: `storage/${node}/${name}`,
        type: 'storage',
        storage: name,
        node,
        plugintype: one.type,
        content: one.content.join(','),
        shared: one.shared ? 1 : 0,
        status: world.state.nodes[node]?.online ? 'available' : 'unknown',
        disk: usedBytes(world, name, node),
        maxdisk: one.totalBytes,
      })),
  );
}

function content({ world, given, node }: Call): Json {
  const name = String(given.storage);
  storageOf(world, name);
  const kind = given.content;
  const { shared } = storageOf(world, name);
  const lines: JsonObject[] = [];
  for (const vm of Object.values(world.state.vms)) {
    if (!shared && vm.node !== node) continue;
    for (const [, raw] of drives(vm.config)) {
      const { volume } = parseDrive(raw);
      if (parseVolume(volume).storage !== name) continue;
      const linked = /:(.+?)\/\d+\/vm-/.exec(volume);
      const size = isCloudInit(raw) ? 4 * 1024 ** 2 : driveSize(raw);
      lines.push({
        volid: volume,
        vmid: vm.vmid,
        content: 'images',
        format: 'qcow2',
        size,
        used: linked ? 200_704 : Math.min(size, 331_776),
        parent: linked ? `../${linked[1]}` : null,
        ctime: Number(/ctime=(\d+)/.exec(vm.config.meta ?? '')?.[1] ?? world.nowS()),
      });
    }
  }
  for (const [volid, one] of Object.entries(world.state.volumes)) {
    if (parseVolume(volid).storage !== name) continue;
    lines.push({
      volid,
      vmid: one.vmid,
      content: one.content,
      format: one.format,
      size: one.sizeBytes,
      used: one.usedBytes,
      parent: one.parent,
      ctime: one.ctime,
    });
  }
  for (const [key, file] of Object.entries(world.state.files)) {
    if (parseVolume(file.volume).storage !== name || key !== fileKey(world, file.volume, node)) continue;
    const { volume: volid, content: kind, format, sizeBytes: size, ctime } = file;
    lines.push({ volid, content: kind, format, size, ctime });
  }
  return lines.filter(
    (line) => (kind === undefined || line.content === kind) && (given.vmid === undefined || line.vmid === given.vmid),
  );
}
