import type { Json, JsonObject } from '../api/reference.ts';
import type { NodeState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { rows } from './vms.ts';
import { usedBytes } from '../vm/volumes.ts';

export const nodeRoutes: Routes = {
  'GET /nodes': ({ world, caller }) =>
    Object.keys(world.state.nodes).map((node) =>
      nodeLine(world, node, world.permissions.any(caller, `/nodes/${node}`, ['Sys.Audit'])),
    ),
  'GET /nodes/{node}': () =>
    ['qemu', 'storage', 'status', 'tasks', 'network', 'rrddata', 'version'].map((name) => ({ name })),
  'GET /nodes/{node}/status': nodeStatus,
  'GET /nodes/{node}/version': ({ world }) => ({
    version: world.facts.version,
    release: world.facts.release,
    repoid: world.facts.repoid,
  }),
  'GET /nodes/{node}/time': ({ world, node }) => {
    const time = world.nowS(node);
    return { timezone: 'Etc/UTC', time, localtime: time };
  },
  'GET /nodes/{node}/network': network,
  'GET /nodes/{node}/rrddata': ({ world, given, node }) => {
    const time = Math.floor(world.nowS() / 60) * 60;
    const history = Array.from({ length: 40 }, (_, at) => ({ time: time - at * 60, values: nodeSample(world, node) }));
    return rows(world, String(given.timeframe), history);
  },
};

function rootDisk(world: World, node: string): { total: number; used: number } {
  const [name, storage] = Object.entries(world.state.storages)[0] ?? [];
  return storage && name ? { total: storage.totalBytes, used: usedBytes(world, name, node) } : { total: 0, used: 0 };
}

/** One node in a list; who may not audit it sees that it is there and no more. */
export function nodeLine(world: World, name: string, audited: boolean): JsonObject {
  const node = world.state.nodes[name] as NodeState;
  const line: JsonObject = {
    id: `node/${name}`,
    node: name,
    type: 'node',
    level: '',
    status: node.online ? 'online' : 'offline',
    ssl_fingerprint: node.fingerprint,
  };
  if (!audited || !node.online) return line;
  const disk = rootDisk(world, name);
  return {
    ...line,
    cpu: 0.05,
    maxcpu: node.cpus,
    mem: memoryUsed(world, name),
    maxmem: node.memoryBytes,
    disk: disk.used,
    maxdisk: disk.total,
    uptime: uptimeS(world, node),
  };
}

function uptimeS(world: World, node: NodeState): number {
  return Math.max(0, Math.floor((world.clock.nowMs() - node.bootedAtMs) / 1000));
}

function memoryUsed(world: World, name: string): number {
  const vms = Object.values(world.state.vms).filter((vm) => vm.node === name && vm.run);
  const guests = vms.reduce((sum, vm) => sum + world.machines.usage(vm.vmid).memoryBytes, 0);
  return (world.state.nodes[name]?.memoryUsedBytes ?? 0) + guests;
}

function nodeStatus({ world, node: name }: Call): Json {
  const node = world.state.nodes[name] as NodeState;
  const used = memoryUsed(world, name);
  const disk = rootDisk(world, name);
  const available = node.memoryBytes - used;
  const kernel = { sysname: 'Linux', release: '6.14.11-4-pve', version: '#1 SMP PREEMPT_DYNAMIC', machine: 'x86_64' };
  const cpuinfo: JsonObject = {
    cores: node.cpus,
    cpus: node.cpus,
    sockets: 1,
    model: 'QEMU Virtual CPU',
    mhz: '2800.000',
    flags: 'fpu vme de pse tsc msr pae',
    hvm: '',
    user_hz: 100,
  };
  if (world.facts.nodeMemoryAvailable) Object.assign(cpuinfo, { family: '6', vendor: 'GenuineIntel' });
  return {
    'boot-info': { mode: 'legacy-bios' },
    cpu: 0.05,
    cpuinfo,
    'current-kernel': kernel,
    idle: 0,
    ksm: { shared: 0 },
    kversion: `Linux ${kernel.release} ${kernel.version}`,
    loadavg: ['0.10', '0.20', '0.30'],
    memory: {
      total: node.memoryBytes,
      used,
      free: available,
      ...(world.facts.nodeMemoryAvailable ? { available } : {}),
    },
    pveversion: `pve-manager/${world.facts.version}/${world.facts.repoid}`,
    rootfs: { total: disk.total, used: disk.used, free: disk.total - disk.used, avail: disk.total - disk.used },
    swap: { total: 0, used: 0, free: 0 },
    uptime: uptimeS(world, node),
    wait: 0.001,
  };
}

function network({ world, node, given }: Call): Json {
  const ip = world.state.nodes[node]?.ip ?? '';
  if (
    given.type !== undefined &&
    !['bridge', 'any_bridge', 'any_local_bridge', 'include_sdn'].includes(String(given.type))
  )
    return [];
  return world.state.bridges.map((iface, at) => ({
    iface,
    type: 'bridge',
    active: 1,
    autostart: 1,
    bridge_fd: '0',
    bridge_ports: '',
    bridge_stp: 'off',
    families: ['inet'],
    method: at === 0 ? 'static' : 'manual',
    method6: 'manual',
    priority: 3 + at,
    ...(at === 0 ? { address: ip, netmask: '24', cidr: `${ip}/24` } : {}),
  }));
}

function nodeSample(world: World, name: string): JsonObject {
  const node = world.state.nodes[name] as NodeState;
  const disk = rootDisk(world, name);
  const used = memoryUsed(world, name);
  const sample: JsonObject = {
    cpu: 0.05,
    iowait: 0.001,
    loadavg: 0.2,
    maxcpu: node.cpus,
    memtotal: node.memoryBytes,
    memused: used,
    netin: 0,
    netout: 0,
    roottotal: disk.total,
    rootused: disk.used,
    swaptotal: 0,
    swapused: 0,
  };
  if (!world.facts.nodePressure) return sample;
  const pressure = {
    pressurecpusome: 0,
    pressureiosome: 0,
    pressureiofull: 0,
    pressurememorysome: 0,
    pressurememoryfull: 0,
  };
  return { ...sample, ...pressure, arcsize: 0, memavailable: node.memoryBytes - used };
}
