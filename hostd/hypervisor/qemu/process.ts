import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '@lebureau/kit/clock';
import { signalProcess } from './native.ts';

/** A process beyond doubt: pids are reused, a start time within one boot of the host is not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after the host's boot, from /proc/<pid>/stat. */
  startTicks: number;
  hostBoot: string;
}

const sigkill = 9;

export function hostBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** @returns undefined when there is no such process or only its zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, even parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'X' || (fields[0] === 'Z' && !hasThreads(pid))) return undefined;
    return { pid, startTicks: Number(fields[19]), hostBoot: hostBootId() };
  } catch {
    return undefined;
  }
}

/** The first thread of a killed process may be a zombie while others still hold its files and memory. */
function hasThreads(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).length > 1;
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.hostBoot === identity.hostBoot;
}

/** Kills exactly this process and waits until it is gone. @returns false when it still lives after `timeoutMs`. */
export async function killProcess(identity: ProcessIdentity, clock: Clock, timeoutMs: number): Promise<boolean> {
  signalProcess(identity.pid, sigkill, () => isAlive(identity));
  return waitUntilGone(identity, clock, timeoutMs);
}

export async function waitUntilGone(identity: ProcessIdentity, clock: Clock, timeoutMs: number): Promise<boolean> {
  const untilMs = clock.monotonicMs() + timeoutMs;
  while (isAlive(identity)) {
    if (clock.monotonicMs() >= untilMs) return false;
    await clock.sleep(3);
  }
  return true;
}

export interface ProcessSeen {
  identity: ProcessIdentity;
  uid: number;
  argv: readonly string[];
}

/** Processes of these uids. The uid is what a hostile process cannot change about itself; its arguments it can. */
export function processesOf(owns: (uid: number) => boolean): ProcessSeen[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      // From `status`: the owner of /proc/<pid> is something a process can hide by becoming undumpable.
      const uid = Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
      if (!owns(uid)) return [];
      const identity = identifyProcess(pid);
      return identity ? [{ identity, uid, argv: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }] : [];
    } catch {
      return []; // it ended while we looked
    }
  });
}
