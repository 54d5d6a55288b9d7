import type { JsonObject } from '../api/reference.ts';
import type { RunState, VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { agentEnabled, maxDisk } from './config.ts';

/** One VM as PVE's `vmstatus` tells it. `full` is what asks QEMU: `qmpstatus`, `nics`. */
export function vmStatus(world: World, vm: VmState, options: { full: boolean }): JsonObject {
  const { config, run } = vm;
  const current = run?.startConfig ?? config;
  const usage = world.machines.usage(vm.vmid);
  const memory = run ? Math.round(usage.memoryBytes) : 0;
  const status: JsonObject = {
    vmid: vm.vmid,
    name: config.name ?? `VM ${vm.vmid}`,
    status: run ? 'running' : 'stopped',
    cpus: Number(current.cores ?? 1) * Number(current.sockets ?? 1),
    maxmem: Number(/\d+/.exec(current.memory ?? '512')?.[0] ?? 512) * 1024 * 1024,
    maxdisk: maxDisk(config),
    cpu: run ? usage.cpu : 0,
    mem: memory,
    disk: 0,
    uptime: run ? uptimeS(world, run) : 0,
    netin: run ? usage.netIn : 0,
    netout: run ? usage.netOut : 0,
  };
  if (world.facts.memhost) status.memhost = memory;
  if (run) status.pid = run.pid;
  if (run && world.facts.pressure) Object.assign(status, pressure);
  if (config.serial0 !== undefined) status.serial = 1;
  if (config.template === '1') status.template = 1;
  if (config.tags !== undefined) status.tags = config.tags;
  if (config.lock !== undefined) status.lock = config.lock;
  if (options.full) {
    status.qmpstatus = qmpStatus(run);
    const nets = Object.keys(current).filter((key) => /^net\d+$/.test(key));
    if (run && nets.length > 0) {
      status.nics = Object.fromEntries(
        nets.map((key) => [`tap${vm.vmid}i${key.slice(3)}`, { netin: usage.netIn, netout: usage.netOut }]),
      );
    }
  }
  return status;
}

function qmpStatus(run: RunState | null): string {
  if (run === null) return 'stopped';
  if (run.ioError) return 'io-error';
  return run.paused ? 'paused' : 'running';
}

const pressure = {
  pressurecpusome: 0,
  pressurecpufull: 0,
  pressureiosome: 0,
  pressureiofull: 0,
  pressurememorysome: 0,
  pressurememoryfull: 0,
};

export function currentStatus(world: World, vm: VmState): JsonObject {
  const status = vmStatus(world, vm, { full: true });
  status.ha = { managed: 0 };
  if (agentEnabled(vm.config)) status.agent = 1;
  const { vga } = vm.config;
  if (vga !== undefined) status.clipboard = /(?:^|,)clipboard=vnc(?:,|$)/.test(vga) ? 'vnc' : null;
  if (/^(?:type=)?(?:qxl|virtio)/.test(vga ?? '')) status.spice = 1;
  return status;
}

function uptimeS(world: World, run: RunState): number {
  return Math.max(0, Math.floor((world.clock.nowMs() - run.startedAtMs) / 1000));
}

/** pvestatd's look at one VM: what `/cluster/resources` and pools show until its next one. */
export function sampled(world: World, vm: VmState): JsonObject {
  const { vmid, name, cpus, maxmem, maxdisk, cpu, mem, uptime, netin, netout, status, memhost } = vmStatus(world, vm, {
    full: false,
  });
  const sample: JsonObject = {
    vmid,
    name,
    maxcpu: cpus,
    maxmem,
    maxdisk,
    cpu,
    mem,
    uptime,
    netin,
    netout,
    status,
  } as JsonObject;
  if (memhost !== undefined) sample.memhost = memhost;
  return { ...sample, disk: 0, diskread: 0, diskwrite: 0, template: vm.config.template === '1' ? 1 : 0 };
}

/** One line of `/cluster/resources`; a VM that pvestatd has not met is `unknown`. */
export function resourceOf(world: World, vm: VmState): JsonObject {
  const line: JsonObject = { id: `qemu/${vm.vmid}`, type: 'qemu', vmid: vm.vmid, node: vm.node, status: 'unknown' };
  if (vm.sample && world.state.nodes[vm.node]?.online) Object.assign(line, vm.sample);
  if (vm.config.tags !== undefined) line.tags = vm.config.tags;
  if (vm.config.lock !== undefined) line.lock = vm.config.lock;
  return line;
}
