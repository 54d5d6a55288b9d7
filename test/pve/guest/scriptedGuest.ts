import type { Clock } from '@lebureau/kit/clock';
import { AgentBroke, AgentRefused, type MachineSpec } from '../vm/machines.ts';
import { runScript, type Outcome } from './shell.ts';

/** What a test's own guest answers to a command; undefined leaves it to the small shell. */
export type OnExec = (command: string[], input: string, guest: ScriptedGuest) => Partial<Outcome> | undefined;

const quickMs = 60;
const withInputMs = 500;
const programs = new Set(['sh', 'bash', 'dash', 'cat', 'echo', 'true', 'false', 'sleep']);
const enabled = [
  'guest-ping',
  'guest-info',
  'guest-exec',
  'guest-exec-status',
  'guest-file-open',
  'guest-file-close',
  'guest-file-read',
  'guest-file-write',
  'guest-network-get-interfaces',
  'guest-get-osinfo',
  'guest-get-host-name',
  'guest-get-fsinfo',
  'guest-get-time',
  'guest-get-timezone',
  'guest-get-users',
  'guest-get-vcpus',
  'guest-set-user-password',
  'guest-shutdown',
  'guest-fsfreeze-status',
  'guest-fsfreeze-freeze',
  'guest-fsfreeze-thaw',
  'guest-fstrim',
  'guest-suspend-disk',
  'guest-suspend-ram',
  'guest-suspend-hybrid',
];

/** The guest agent of a guest that is only told of: a file system in memory and a very small shell. */
export class ScriptedGuest {
  readonly files = new Map<string, Buffer>();
  hostname: string;
  private nextPid = 137;
  private nextHandle = 1000;
  private readonly handles = new Map<number, { path: string; at: number; writes: boolean }>();
  private readonly processes = new Map<number, { dueMs: number; outcome: Outcome }>();

  constructor(
    private readonly spec: MachineSpec,
    private readonly clock: Clock,
    private readonly options: { pace: number; onExec?: OnExec },
  ) {
    this.hostname = spec.cloudInit.hostname;
    this.files.set('/etc/hostname', Buffer.from(`${this.hostname}\n`));
  }

  answer(command: string, given: Record<string, unknown>): unknown {
    switch (command) {
      case 'guest-ping':
      case 'guest-shutdown':
      case 'guest-fstrim':
        return {};
      case 'guest-exec':
        return this.exec(given);
      case 'guest-exec-status':
        return this.execStatus(Number(given.pid));
      case 'guest-file-open':
        return this.open(String(given.path), String(given.mode ?? 'r'));
      case 'guest-file-write':
        return this.write(given);
      case 'guest-file-read':
        return this.read(given);
      case 'guest-file-close':
        this.handles.delete(Number(given.handle));
        return {};
      case 'guest-set-user-password':
        throw new AgentRefused("cannot find 'passwd' program in PATH");
      default:
        return this.tell(command);
    }
  }

  private tell(command: string): unknown {
    switch (command) {
      case 'guest-network-get-interfaces':
        return this.interfaces();
      case 'guest-get-osinfo':
        return {
          machine: 'x86_64',
          'kernel-release': '6.1.0-56-cloud-amd64',
          'kernel-version': '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)',
        };
      case 'guest-get-host-name':
        return { 'host-name': this.hostname };
      case 'guest-get-fsinfo':
        return [cdRom];
      case 'guest-get-time':
        return this.clock.nowMs() * 1_000_000;
      case 'guest-info':
        return {
          version: '7.2.22',
          supported_commands: enabled.map((name) => ({ name, enabled: true, 'success-response': true })),
        };
      case 'guest-get-users':
      case 'guest-get-memory-blocks':
        return [];
      case 'guest-get-vcpus':
        return Array.from({ length: this.spec.cores }, (_, id) => ({
          'logical-id': id,
          online: true,
          'can-offline': id > 0,
        }));
      case 'guest-get-timezone':
        return { offset: 0, zone: 'UTC' };
      case 'guest-get-memory-block-info':
        return { size: 134_217_728 };
      case 'guest-fsfreeze-status':
        return 'thawed';
      case 'guest-fsfreeze-freeze':
      case 'guest-fsfreeze-thaw':
        return 1;
      default:
        throw new AgentRefused(`The command ${command} has not been found`);
    }
  }

  private exec(given: Record<string, unknown>): { pid: number } {
    const path = String(given.path);
    const rest = (given.arg ?? []) as string[];
    const input = Buffer.from(String(given['input-data'] ?? ''), 'base64').toString('latin1');
    const own = this.options.onExec?.([path, ...rest], input, this);
    if (own === undefined && !programs.has(path.replace(/^\/(?:usr\/)?s?bin\//, ''))) throw new AgentBroke(path);
    const quiet: Outcome = { exitcode: 0, out: '', err: '', sleepMs: 0 };
    const script = rest[0] === '-c' || rest[0] === '-lc' ? (rest[1] ?? '') : [path, ...rest].join(' ');
    const outcome = own === undefined ? runScript(script, input) : { ...quiet, ...own };
    const pid = this.nextPid;
    this.nextPid += 2;
    const runMs = outcome.sleepMs + (input === '' ? quickMs : withInputMs);
    this.processes.set(pid, { dueMs: this.clock.nowMs() + runMs * this.options.pace, outcome });
    return { pid };
  }

  private execStatus(pid: number): unknown {
    const process = this.processes.get(pid);
    if (process === undefined) throw new AgentRefused("Invalid parameter 'pid'");
    if (this.clock.nowMs() < process.dueMs) return { exited: false };
    this.processes.delete(pid);
    const { exitcode, signal, out, err } = process.outcome;
    const encode = (text: string) => Buffer.from(text, 'latin1').toString('base64');
    return {
      exited: true,
      ...(signal === undefined ? { exitcode } : { signal }),
      ...(out === '' ? {} : { 'out-data': encode(out), 'out-truncated': false }),
      ...(err === '' ? {} : { 'err-data': encode(err), 'err-truncated': false }),
    };
  }

  private open(path: string, mode: string): number {
    const writes = /[wa+]/.test(mode);
    const folder = path.slice(0, path.lastIndexOf('/')) || '/';
    const missing = writes ? !folders.has(folder) : !this.files.has(path) && !folders.has(path);
    if (missing) throw new AgentRefused(`failed to open file '${path}' (mode: '${mode}'): No such file or directory`);
    if (writes && mode.startsWith('w')) this.files.set(path, Buffer.alloc(0));
    const handle = this.nextHandle++;
    this.handles.set(handle, { path, at: 0, writes });
    return handle;
  }

  private write(given: Record<string, unknown>): unknown {
    const handle = this.handleOf(given);
    const bytes = Buffer.from(String(given['buf-b64']), 'base64');
    this.files.set(handle.path, Buffer.concat([this.files.get(handle.path) ?? Buffer.alloc(0), bytes]));
    return { count: bytes.length, eof: false };
  }

  private read(given: Record<string, unknown>): unknown {
    const handle = this.handleOf(given);
    const file = this.files.get(handle.path);
    if (file === undefined) throw new AgentRefused('failed to read file: Is a directory');
    const bytes = file.subarray(handle.at, handle.at + Number(given.count ?? 4096));
    handle.at += bytes.length;
    return { count: bytes.length, 'buf-b64': bytes.toString('base64'), eof: handle.at >= file.length };
  }

  private handleOf(given: Record<string, unknown>): { path: string; at: number; writes: boolean } {
    const handle = this.handles.get(Number(given.handle));
    if (handle === undefined) throw new AgentRefused(`handle '${String(given.handle)}' has not been found`);
    return handle;
  }

  private interfaces(): unknown {
    const statistics = (tx: number) => ({
      'rx-bytes': 0,
      'rx-packets': 0,
      'rx-errs': 0,
      'rx-dropped': 0,
      'tx-bytes': tx,
      'tx-packets': tx === 0 ? 0 : 3,
      'tx-errs': 0,
      'tx-dropped': 0,
    });
    const loopback = {
      name: 'lo',
      'hardware-address': '00:00:00:00:00:00',
      statistics: statistics(0),
      'ip-addresses': [
        { 'ip-address': '127.0.0.1', 'ip-address-type': 'ipv4', prefix: 8 },
        { 'ip-address': '::1', 'ip-address-type': 'ipv6', prefix: 128 },
      ],
    };
    if (this.spec.mac === undefined) return [loopback];
    const given = this.spec.addresses.filter((one) => one.includes('/'));
    const own = given.length > 0 ? given : [`10.0.2.${10 + (this.spec.vmid % 200)}/24`];
    const addresses = own.map((one) => {
      const [address = '', prefix] = one.split('/');
      return {
        'ip-address': address,
        'ip-address-type': address.includes(':') ? 'ipv6' : 'ipv4',
        prefix: Number(prefix),
      };
    });
    const local = { 'ip-address': linkLocal(this.spec.mac), 'ip-address-type': 'ipv6', prefix: 64 };
    const ethernet = {
      name: 'eth0',
      'hardware-address': this.spec.mac.toLowerCase(),
      statistics: statistics(266),
      'ip-addresses': [...addresses, local],
    };
    return [loopback, ethernet];
  }
}

const folders = new Set([
  '/',
  '/tmp',
  '/etc',
  '/root',
  '/home',
  '/home/user',
  '/run',
  '/var',
  '/var/tmp',
  '/usr',
  '/usr/local',
  '/usr/local/bin',
  '/opt',
  '/mnt',
]);

const cdRom = {
  name: 'sr0',
  mountpoint: '/mnt/ci',
  type: 'iso9660',
  'total-bytes': 376_832,
  'used-bytes': 376_832,
  disk: [
    {
      dev: '/dev/sr0',
      'bus-type': 'ide',
      bus: 1,
      unit: 0,
      target: 0,
      'pci-controller': { domain: 0, bus: 0, slot: 1, function: 1 },
    },
  ],
};

function linkLocal(mac: string): string {
  const parts = mac.split(':').map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = parts;
  const hex = (high: number, low: number) => (high * 256 + low).toString(16);
  return `fe80::${hex(a ^ 2, b)}:${hex(c, 0xff)}:${hex(0xfe, d)}:${hex(e, f)}`;
}
