import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault } from '@lebureau/kit/fault';
import { openInitChannel, type InitClient } from '../guest/init/client.ts';
import type { HypervisorHost } from '../hypervisor/qemu/host.ts';
import { confine } from '../hypervisor/qemu/launch.ts';
import { machineArguments, qemuProgram, type MachineOptions } from '../hypervisor/qemu/machine.ts';
import { Qmp } from '../hypervisor/qemu/qmp.ts';
import { connectUnix } from '../hypervisor/qemu/socket.ts';

/** The uid of QEMUs that make and verify templates, outside of any desktop's block. */
const builderUid = 399_999;
const controlMaxMs = 20_000;

export interface WarmMachineOptions {
  host: HypervisorHost;
  clock: Clock;
  /** QEMU's working directory: disk and sockets lie there. */
  run: string;
  machine: Pick<MachineOptions, 'size' | 'kernel' | 'ram' | 'incoming'>;
  /** Descriptors that QEMU finds as 3, 4, … */
  inherited?: readonly number[];
}

/** A machine that makes or verifies a warm state. It ends with us: nobody else knows of it. */
export class WarmMachine {
  readonly process: ChildProcess;
  readonly qmp: Qmp;
  readonly init: InitClient;

  private constructor(process: ChildProcess, qmp: Qmp, init: InitClient) {
    this.process = process;
    this.qmp = qmp;
    this.init = init;
  }

  static async start(options: WarmMachineOptions): Promise<WarmMachine> {
    const { clock, run } = options;
    const child = launch(options);
    const alive = () => child.exitCode === null && child.signalCode === null;
    try {
      const ownerUid = qemuUid();
      const connection = { clock, timeoutMs: controlMaxMs, alive, ...(ownerUid === undefined ? {} : { ownerUid }) };
      const qmp = new Qmp(await connectUnix(join(run, 'qmp.sock'), connection));
      const init = openInitChannel(await connectUnix(join(run, 'init.sock'), connection), clock);
      return new WarmMachine(child, qmp, init);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Fault('hypervisor_failed', `QEMU did not come up: ${lastWords(run)}`, { cause: error });
    }
  }

  /** Seconds of processor time this machine has used. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async end(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.process.exitCode !== null || this.process.signalCode !== null) resolve();
      else this.process.once('close', () => resolve());
    });
    this.init.close();
    await this.qmp.execute('quit', undefined, controlMaxMs).catch((error: unknown) => {
      if (!describeError(error).includes('closed')) this.process.kill('SIGKILL');
    });
    const late = setTimeout(() => this.process.kill('SIGKILL'), controlMaxMs);
    await ended;
    clearTimeout(late);
    this.qmp.close();
  }
}

function launch(options: WarmMachineOptions): ChildProcess {
  const { host, run, machine } = options;
  const argv = machineArguments({
    ...machine,
    name: 'lebureau-template',
    accelerator: host.accelerator,
    disk: 'disk.qcow2',
    mac: '52:54:00:00:00:01',
    network: { restrict: true, forwards: [] },
    sockets: { qmp: 'qmp.sock', vnc: 'vnc.sock', init: 'init.sock', agent: 'agent.sock' },
  });
  const uid = qemuUid();
  const groups = host.accelerator === 'kvm' ? [statSync('/dev/kvm').gid] : [];
  // Nobody else knows of this machine, so it must not outlive a builder that is killed.
  const withUs = ['setpriv', '--pdeathsig=KILL', '--'];
  const [program, ...rest] = [...confine({ uid, groups }), ...withUs, qemuProgram, ...argv];
  const log = openSync(join(run, 'qemu.log'), 'a', 0o600);
  try {
    return spawn(program!, rest, {
      cwd: run,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
      stdio: ['ignore', log, log, ...(options.inherited ?? [])],
    });
  } finally {
    closeSync(log);
  }
}

function lastWords(run: string): string {
  try {
    // QEMU's user may have put anything in its place.
    const flag = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    return (
      readFileSync(join(run, 'qemu.log'), { encoding: 'utf8', flag: flag as unknown as string })
        .trim()
        .split('\n')
        .at(-1)
        ?.slice(0, 300) ?? ''
    );
  } catch {
    return 'it said nothing';
  }
}

/** QEMU writes to these files, makes its sockets in these folders, or connects to these sockets. Before it owns a folder: its files. */
export async function giveToQemu(paths: readonly string[]): Promise<void> {
  const uid = qemuUid();
  for (const path of uid === undefined ? [] : paths.toReversed()) await chown(path, builderUid, builderUid);
}

/** Undefined: we are not root, and QEMU runs as we do. */
function qemuUid(): number | undefined {
  return process.getuid?.() === 0 ? builderUid : undefined;
}
