import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Fault } from '@lebureau/kit/fault';
import type { ProcessIdentity } from './process.ts';
import { identifyProcess } from './process.ts';
import { qemuProgram } from './machine.ts';
import { limitLog } from './qemuLog.ts';

/** Descriptors a warm clone finds open. */
export const inheritedDeviceState = 3;
export const inheritedRam = 4;
/** Where a machine that is wired to a bridge finds its network device. */
export const inheritedTap = 5;

/** Before hostd itself or another service of the host, the kernel ends a desktop when memory runs out. */
const oomScore = '400';

export interface LaunchOptions {
  argv: readonly string[];
  /** QEMU's working directory. */
  run: string;
  log: string;
  confinement: Confinement;
  /** Path of the saved device state and the descriptor of the sealed RAM. */
  warm?: { deviceState: string; ram: number };
  /** Descriptor of the network device that takes the place of QEMU's own network. Closed here once QEMU has it. */
  tap?: number;
  onExit: () => void;
}

export interface Confinement {
  /** Undefined: hostd is not root and QEMU runs as hostd does. */
  uid?: number;
  /** Supplementary groups: that of /dev/kvm, or none. */
  groups: readonly number[];
  /** Path of the network namespace to enter. */
  namespace?: string;
  /** Bound over /etc/resolv.conf in a mount namespace of its own. */
  resolvFile?: string;
}

/**
 * Starts QEMU in a session of its own, with no pipe to hostd, so that it outlives hostd.
 * Each program of the chain replaces itself by the next: the pid is QEMU's.
 */
export function launchQemu(options: LaunchOptions): ProcessIdentity {
  limitLog(options.log);
  const log = openSync(options.log, 'a', 0o600);
  const state = options.warm ? openSync(options.warm.deviceState, 'r') : undefined;
  try {
    const warm = options.warm && state !== undefined ? [state, options.warm.ram] : [];
    // What has no descriptor gets that of the log, so that the others keep their places.
    const inherited = options.tap === undefined ? warm : [warm[0] ?? log, warm[1] ?? log, options.tap];
    const child = Bun.spawn([...confine(options.confinement), qemuProgram, ...options.argv], {
      cwd: options.run,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
      stdio: ['ignore', log, log, ...inherited],
      detached: true,
      onExit: options.onExit,
    });
    child.unref();
    const identity = identifyProcess(child.pid);
    if (!identity) throw new Fault('hypervisor_failed', 'QEMU ended as soon as it was started');
    writeOomScore(child.pid);
    return identity;
  } finally {
    closeSync(log);
    if (state !== undefined) closeSync(state);
    if (options.tap !== undefined) closeSync(options.tap);
  }
}

/** The programs in front of QEMU, outermost first. */
export function confine(confinement: Confinement): string[] {
  const { uid, groups, namespace, resolvFile } = confinement;
  const bind = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  const groupArguments = groups.length > 0 ? [`--groups=${groups.join(',')}`] : ['--clear-groups'];
  return [
    ...(namespace === undefined ? [] : ['nsenter', `--net=${namespace}`, '--']),
    ...(resolvFile === undefined ? [] : ['unshare', '--mount', '--', '/bin/sh', '-c', bind, resolvFile]),
    ...(uid === undefined
      ? []
      : [
          'setpriv',
          `--reuid=${uid}`,
          `--regid=${uid}`,
          ...groupArguments,
          '--no-new-privs',
          '--inh-caps=-all',
          '--bounding-set=-all',
          '--',
        ]),
  ];
}

function writeOomScore(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, oomScore);
  } catch {
    // It ended meanwhile, which whoever waits for its control socket finds out.
  }
}
