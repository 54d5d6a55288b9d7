import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** The folder that holds all of hostd's files (LEBUREAU_HOME). */

export function isFileMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** Others may pass through, so that the unprivileged users of the VMs reach their own folders; they list nothing. */
export function openHome(home: string): void {
  mkdirSync(home, { recursive: true, mode: 0o711 });
}

/**
 * One hostd for each home. The lock is a file with the pid and the start time of its holder, so one that was left behind
 * by a crash, or by a pid that now belongs to another program, does not count.
 * @throws Error that says who holds it. @returns a function that gives it back.
 */
export function lockHome(home: string): () => void {
  const path = join(home, 'hostd.lock');
  const mine = describeProcess(process.pid) ?? `${process.pid}`;
  const draft = join(home, `.hostd.lock-${process.pid}`);
  writeDurably(draft, mine);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      linkSync(draft, path);
      unlinkSync(draft);
      return () => giveBack(path, mine);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (isAlive(holder)) {
      unlinkSync(draft);
      throw new Error(
        `hostd already runs for ${home} (process ${holder.split(' ')[0]}). Stop it first, or set LEBUREAU_HOME to another folder.`,
      );
    }
    setAside(path, holder);
  }
  unlinkSync(draft);
  throw new Error(`${path} changes all the time: other hostd processes are starting. Try again.`);
}

/** Removes a dead holder's lock, unless another process has replaced it meanwhile; then it is put back. */
function setAside(path: string, holder: string): void {
  const aside = `${path}.dead-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isFileMissing(error)) return;
    throw error;
  }
  if (readHolder(aside) === holder) return unlinkSync(aside);
  linkSync(aside, path);
  unlinkSync(aside);
}

function giveBack(path: string, mine: string): void {
  if (readHolder(path) === mine) unlinkSync(path);
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    throw error;
  }
}

function isAlive(holder: string): boolean {
  const pid = Number(holder.split(' ')[0]);
  return Number.isInteger(pid) && pid > 0 && describeProcess(pid) === holder;
}

/** Pid, start time in clock ticks since the boot, and the boot; undefined when there is no such process. */
function describeProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${pid} ${startTime} ${boot}`;
  } catch {
    return undefined;
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, `${text}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
