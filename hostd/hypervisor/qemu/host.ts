import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { Fault } from '@lebureau/kit/fault';
import { cpuModel, qemuProgram, type Accelerator } from './machine.ts';
import { ProbeMemory } from './probeMemory.ts';

/** What this machine runs VMs with. */
export interface HypervisorHost {
  accelerator: Accelerator;
  /** One sentence: why this one. */
  acceleratorReason: string;
  /** As `qemu-system-x86_64 --version` says it: `7.2.22 (Debian 1:7.2+…)`. */
  qemuVersion: string;
  /** Part of the warm key: empty on TCG. */
  hostCpu: string;
}

export interface ProbeOptions {
  /** With a kernel the probe boots it; without one only firmware runs, which shows less. */
  kernel?: { vmlinux: string; initrd: string };
  timeoutMs?: number;
  kvmDevice?: string;
  /** File that keeps the answer when it is no. */
  memory?: string;
}

/** KVM only when a VM really ran on it: the device can exist and not run a stock kernel. @throws Fault `needs_operator` without QEMU. */
export async function probeHost(options: ProbeOptions = {}): Promise<HypervisorHost> {
  const qemuVersion = await readQemuVersion();
  const trouble = await kvmTrouble(options, qemuVersion);
  if (trouble !== undefined) return { accelerator: 'tcg', acceleratorReason: trouble, qemuVersion, hostCpu: '' };
  const what = options.kernel ? 'a kernel' : 'firmware';
  return {
    accelerator: 'kvm',
    acceleratorReason: `A probe VM ran ${what} on KVM.`,
    qemuVersion,
    hostCpu: readHostCpu(),
  };
}

async function readQemuVersion(): Promise<string> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(qemuProgram, ['--version'], { timeout: 10_000 }, (error, stdout) => {
      if (error) reject(new Fault('needs_operator', `${qemuProgram} does not run here`, { cause: error }));
      else resolve(stdout);
    });
  });
  return /version (.+)/.exec(output)?.[1]?.trim() ?? 'unknown';
}

function readHostCpu(): string {
  const lines = readFileSync('/proc/cpuinfo', 'utf8').split('\n');
  const wanted = ['model name', 'flags', 'microcode'];
  return wanted.map((name) => lines.find((line) => line.startsWith(name)) ?? '').join('\n');
}

async function kvmTrouble(options: ProbeOptions, qemuVersion: string): Promise<string | undefined> {
  const device = options.kvmDevice ?? '/dev/kvm';
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch {
    return `Emulation (TCG): ${device} is missing or may not be opened.`;
  }
  const memory = options.memory === undefined ? undefined : new ProbeMemory(options.memory, { device, qemuVersion });
  const known = memory?.trouble();
  if (known !== undefined) return known;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const outcome = await runProbe(probeArguments(options.kernel), options.kernel ? kernelRan : firmwareRan, timeoutMs);
  if (outcome === undefined) return undefined;
  const trouble = `Emulation (TCG): ${device} exists, but a probe VM did not run on it (${outcome}).`;
  memory?.keep(trouble);
  return trouble;
}

/** The kernel looked for its root file system, or SeaBIOS introduced itself: both are executed instructions. */
const kernelRan = /Run \/init as init process/;
const firmwareRan = /SeaBIOS/;

function probeArguments(kernel: ProbeOptions['kernel']): string[] {
  const common = [
    '-no-user-config',
    '-nodefaults',
    '-display',
    'none',
    '-accel',
    'kvm',
    '-cpu',
    cpuModel('kvm'),
    '-no-reboot',
  ];
  const stdio = ['-chardev', 'stdio,id=out0,signal=off'];
  if (!kernel)
    return [...common, '-M', 'q35', '-m', '64M', ...stdio, '-device', 'isa-debugcon,iobase=0x402,chardev=out0'];
  const boot = ['-kernel', kernel.vmlinux, '-initrd', kernel.initrd, '-append', 'console=ttyS0 panic=-1'];
  return [...common, '-M', 'q35', '-m', '512M', ...stdio, '-serial', 'chardev:out0', ...boot];
}

/** Runs QEMU until its output matches. @returns undefined when it did, else why not. */
function runProbe(argv: string[], ran: RegExp, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(qemuProgram, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    const finish = (outcome: string | undefined) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(outcome);
    };
    const timer = setTimeout(() => finish(`nothing within ${timeoutMs / 1000} s`), timeoutMs);
    child.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('latin1')).slice(-20_000);
      if (ran.test(output)) finish(undefined);
    });
    child.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('latin1')).slice(-2000)));
    child.on('error', (error) => finish(error.message));
    child.on('close', (code, signal) => finish(firstLine(errors) || `ended with ${signal ?? code}`));
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.replace(`${qemuProgram}: `, '').slice(0, 200) ?? '';
}
