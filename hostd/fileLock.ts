import { dlopen, FFIType } from 'bun:ffi';
import { closeSync, constants, openSync } from 'node:fs';

const libc = dlopen('libc.so.6', { flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } }).symbols;

const closeOnExec = 0o2000000;
const exclusiveAtOnce = 2 | 4;
const unlock = 8;

/**
 * Opens the file, which is made when it is missing, and locks it (flock). The kernel lets go when the descriptor is
 * closed or its process ends, however that comes about; programs started meanwhile do not get it.
 * @returns the descriptor, or undefined while another holds the lock.
 */
export function lockFile(path: string): number | undefined {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | closeOnExec, 0o600);
  if (libc.flock(file, exclusiveAtOnce) === 0) return file;
  closeSync(file);
  return undefined;
}

/** Lets go and closes it. Closing alone waits for programs that are just being started: they have a copy until they run. */
export function unlockFile(file: number): void {
  libc.flock(file, unlock);
  closeSync(file);
}
