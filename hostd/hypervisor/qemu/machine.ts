import { createHash } from 'node:crypto';

/**
 * The one place that knows what a desktop's machine looks like. A warm state fits a clone only when both were made with
 * the same devices in the same order, so the template builder and the driver both take their arguments from here.
 */

export type Accelerator = 'kvm' | 'tcg';

/** `${vcpus}x${memoryMiB}` names a size. */
export interface MachineSize {
  vcpus: number;
  memoryMiB: number;
}

/** Where guest RAM lives. A QEMU opens a named file read-write whatever it maps, so clones get a sealed memfd's path. */
export type MachineRam =
  | { kind: 'anonymous' }
  /** Writes go to the file: only while a template's warm state is made. */
  | { kind: 'shared'; path: string }
  /** Copy-on-write: the file is read, writes stay in this process. */
  | { kind: 'private'; path: string };

export type MachineNetwork =
  | {
      /** True: the guest reaches nothing; forwards from the host still work. */
      restrict: boolean;
      /** Each is a TCP port of the guest, reachable at this IPv4 address and port of QEMU's network namespace. */
      forwards: readonly { address: string; port: number; guestPort: number }[];
    }
  /** Descriptor of a TAP device that QEMU inherits, made without a virtio header: a warm state saved without one fits. */
  | { tap: number };

/** Paths of Unix sockets that QEMU listens on; relative ones are below its working directory. */
export interface MachineSockets {
  qmp: string;
  vnc: string;
  init: string;
  agent: string;
}

export interface MachineOptions {
  /** Shown by `ps`; letters, digits, `-` and `.` only. */
  name: string;
  size: MachineSize;
  accelerator: Accelerator;
  ram: MachineRam;
  /** Unpacked `vmlinux` with a PVH entry, its initrd, and the whole command line (see `guestCommandLine`). */
  kernel: { vmlinux: string; initrd: string; commandLine: string };
  /** A qcow2 that this process writes to; what is below it in the chain is only read. */
  disk: string;
  mac: string;
  network: MachineNetwork;
  sockets: MachineSockets;
  /**
   * True: start with nothing and wait for `migrate-set-capabilities` (x-ignore-shared) and `migrate-incoming` by QMP.
   * A template saved while stopped arrives `paused` and wants `cont`.
   */
  incoming: boolean;
}

export const qemuProgram = 'qemu-system-x86_64';

/** Names of the virtio-serial ports, as the guest sees them under /dev/virtio-ports. */
export const initPortName = 'org.lebureau.init';
export const agentPortName = 'org.qemu.guest_agent.0';

/** Part of the warm key together with size, QEMU version, accelerator, CPU model and guest command line. */
export const machineType = 'q35,hpet=off,vmport=off,usb=off,smm=off,sata=off,smbus=off';

/**
 * `Nehalem` is the cheapest model that desktop programs accept under emulation; its guests get the AES and carry-less
 * multiplication instructions besides, which QEMU carries out two to seven times quicker than the guest's own code: SSH
 * and TLS are bound by them. KVM passes the host's own model through.
 */
export function cpuModel(accelerator: Accelerator): string {
  return accelerator === 'kvm' ? 'host' : 'Nehalem,+aes,+pclmulqdq';
}

/**
 * What costs next to nothing on KVM and stays on there: address space randomisation makes fork and exec three times dearer
 * under emulation, page table isolation flushes the emulated TLB at every system call, and pages that are cleared twice,
 * made huge, or counted for pressure are so much more work and memory of the host.
 */
const emulatedArguments = 'norandmaps mitigations=off init_on_alloc=0 transparent_hugepage=never psi=0 tsc=nowatchdog';

export function guestCommandLine(kernelArguments: string, accelerator: Accelerator): string {
  return accelerator === 'tcg' ? `${kernelArguments} ${emulatedArguments}` : kernelArguments;
}

/** Everything that decides whether a warm state fits a clone. */
export interface WarmFit {
  templateId: string;
  size: MachineSize;
  accelerator: Accelerator;
  /** As `qemu-system-x86_64 --version` says it. */
  qemuVersion: string;
  /** Model and flags of the host's CPU on KVM, where it is passed through; empty on TCG. */
  hostCpu: string;
  /** The whole guest command line, from `guestCommandLine`. */
  commandLine: string;
}

/**
 * Name of a warm state's folder. The argument list is part of what is hashed, so a change of a device here makes old
 * warm states unfit by itself.
 */
export function warmKey(machine: WarmFit): string {
  const argv = machineArguments({
    name: 'fingerprint',
    size: machine.size,
    accelerator: machine.accelerator,
    ram: { kind: 'private', path: 'ram' },
    kernel: { vmlinux: 'vmlinux', initrd: 'initrd', commandLine: machine.commandLine },
    disk: 'disk.qcow2',
    mac: '52:54:00:00:00:00',
    network: { restrict: true, forwards: [] },
    sockets: { qmp: 'qmp', vnc: 'vnc', init: 'init', agent: 'agent' },
    incoming: true,
  });
  const text = JSON.stringify([machine.templateId, machine.qemuVersion, machine.hostCpu, argv]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/**
 * Arguments of `qemuProgram` for one machine. It needs no rights and spawns nothing: device state is saved to a Unix
 * socket (`migrate` with `unix:`) and loaded from an inherited descriptor (`migrate-incoming` with `fd:N`), since
 * `exec:` would need `spawn`.
 */
export function machineArguments(machine: MachineOptions): string[] {
  return [
    ...['-name', `${machine.name},debug-threads=off`],
    ...['-no-user-config', '-nodefaults'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-machine', `${machineType},memory-backend=ram0`],
    ...['-accel', machine.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi,tb-size=128'],
    ...['-cpu', cpuModel(machine.accelerator)],
    ...['-smp', `${machine.size.vcpus},sockets=1,cores=${machine.size.vcpus},threads=1`],
    ...['-m', `${machine.size.memoryMiB}M`],
    ...['-object', ramObject(machine.ram, machine.size.memoryMiB)],
    ...['-rtc', 'base=utc,clock=host'],
    // A guest that powers off stays as a stopped process until hostd has seen it, and so differs from a crash.
    ...['-action', 'shutdown=pause,panic=pause,reboot=reset'],
    ...['-kernel', machine.kernel.vmlinux, '-initrd', machine.kernel.initrd, '-append', machine.kernel.commandLine],
    ...controlArguments(machine.sockets),
    ...deviceArguments(machine),
    ...(machine.incoming ? ['-incoming', 'defer'] : []),
  ];
}

function ramObject(ram: MachineRam, memoryMiB: number): string {
  if (ram.kind === 'anonymous') return `memory-backend-ram,id=ram0,size=${memoryMiB}M`;
  const share = ram.kind === 'shared' ? 'on' : 'off';
  return `memory-backend-file,id=ram0,size=${memoryMiB}M,mem-path=${escaped(ram.path)},share=${share}`;
}

function controlArguments(sockets: MachineSockets): string[] {
  return [
    ...['-chardev', `socket,id=qmp0,path=${escaped(sockets.qmp)},server=on,wait=off`],
    ...['-mon', 'chardev=qmp0,mode=control'],
    // Without force-shared a second viewer that asks for exclusive use would cut off hostd's own.
    ...['-vnc', `unix:${escaped(sockets.vnc)},share=force-shared`],
  ];
}

function deviceArguments(machine: MachineOptions): string[] {
  return [
    ...['-device', 'VGA,id=vga0,addr=01.0,xres=1280,yres=800,vgamem_mb=16'],
    ...['-drive', `file=${escaped(machine.disk)},if=none,id=disk0,format=qcow2,cache=writeback,discard=unmap`],
    ...['-device', 'virtio-blk-pci,id=blk0,addr=02.0,drive=disk0,discard=on'],
    ...netdevs(machine).flatMap((each) => ['-netdev', each]),
    // A clone announces its own address when it is told it; what wakes up to announce the template's is work for nothing.
    ...['-device', `virtio-net-pci,id=nic0,addr=03.0,netdev=net0,mac=${machine.mac},romfile=,guest_announce=off`],
    ...['-object', 'rng-random,id=rng0,filename=/dev/urandom'],
    ...['-device', 'virtio-rng-pci,id=rng1,addr=04.0,rng=rng0'],
    ...['-device', 'virtio-serial-pci,id=serial0,addr=05.0,max_ports=4'],
    ...['-chardev', `socket,id=init0,path=${escaped(machine.sockets.init)},server=on,wait=off`],
    ...['-device', `virtserialport,bus=serial0.0,nr=1,chardev=init0,name=${initPortName}`],
    ...['-chardev', `socket,id=agent0,path=${escaped(machine.sockets.agent)},server=on,wait=off`],
    ...['-device', `virtserialport,bus=serial0.0,nr=2,chardev=agent0,name=${agentPortName}`],
    ...['-device', 'virtio-tablet-pci,id=tablet0,addr=06.0'],
    ...['-device', 'virtio-keyboard-pci,id=keyboard0,addr=07.0'],
    ...['-device', 'vmgenid,id=genid0,guid=auto'],
  ];
}

function netdevs({ network, incoming }: MachineOptions): string[] {
  // Guests are IPv4-only: what slirp does not offer needs no rule to keep it in.
  const user = (id: string, isClosed: boolean) => `user,id=${id},ipv6=off,restrict=${isClosed ? 'on' : 'off'}`;
  if ('tap' in network) {
    // A saved state holds that of QEMU's own network, which must go somewhere: no card is on it.
    return [`tap,id=net0,fd=${network.tap},vhost=off`, ...(incoming ? [user('saved0', true)] : [])];
  }
  const forwards = network.forwards.map((each) => `hostfwd=tcp:${each.address}:${each.port}-:${each.guestPort}`);
  return [[user('net0', network.restrict), ...forwards].join(',')];
}

/** In QEMU's option syntax a comma inside a value is doubled. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
