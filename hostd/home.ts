import { fsyncSync, ftruncateSync, mkdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile, unlockFile } from './fileLock.ts';

/** The folder that holds all of hostd's files (LEBUREAU_HOME). */

export function isFileMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** Others may pass through, so that the unprivileged users of the VMs reach their own folders; they list nothing. */
export function openHome(home: string): void {
  mkdirSync(home, { recursive: true, mode: 0o711 });
}

/**
 * One hostd for each home. The kernel keeps the lock, so one that a crash left behind does not count; the file stays and
 * tells the pid of the holder.
 * @throws Error that says who holds it. @returns a function that gives it back.
 */
export function lockHome(home: string): () => void {
  const path = join(home, 'hostd.lock');
  const file = lockFile(path);
  if (file === undefined) {
    const holder = readFileSync(path, 'utf8').trim() || 'starting';
    throw new Error(
      `hostd already runs for ${home} (process ${holder}). Stop it first, or set LEBUREAU_HOME to another folder.`,
    );
  }
  ftruncateSync(file, 0);
  writeSync(file, `${process.pid}\n`, 0);
  fsyncSync(file);
  return () => {
    ftruncateSync(file, 0);
    unlockFile(file);
  };
}
