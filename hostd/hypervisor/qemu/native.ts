import { dlopen, FFIType, ptr } from 'bun:ffi';
import { closeSync } from 'node:fs';
import { Fault } from '@lebureau/kit/fault';

/** The few system calls of Linux that the runtime does not offer. */
const libc = dlopen('libc.so.6', {
  memfd_create: { args: [FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  lseek: { args: [FFIType.i32, FFIType.i64, FFIType.i32], returns: FFIType.i64 },
  sendfile: { args: [FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
  syscall: { args: [FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64], returns: FFIType.i64 },
}).symbols;

const memfdFlags = { closeOnExec: 1, allowSealing: 2 };
const addSeals = 1033;
const getSeals = 1034;
/** F_SEAL_SEAL, SHRINK, GROW and WRITE: nobody, root included, can change the content any more. */
const allSeals = 0x1 | 0x2 | 0x4 | 0x8;
const seekData = 3;
const seekHole = 4;
const pidfdOpen = 434n;
const pidfdSendSignal = 424n;

/** A new file in memory, of size 0. @returns its descriptor. */
export function createMemoryFile(name: string): number {
  const text = Buffer.from(`${name}\0`);
  const fd = libc.memfd_create(ptr(text), memfdFlags.closeOnExec | memfdFlags.allowSealing);
  if (fd < 0) throw new Fault('memory_full', 'the kernel refused a file in memory');
  return fd;
}

/** Makes the content final. It fails while a writable shared mapping exists. */
export function sealMemoryFile(fd: number): void {
  if (libc.fcntl(fd, addSeals, allSeals) !== 0 || libc.fcntl(fd, getSeals, 0) !== allSeals) {
    throw new Fault('hypervisor_failed', 'a file in memory could not be sealed');
  }
}

/** The next stretch of data at or after `offset`, or undefined when only a hole follows. Moves the file position. */
export function nextData(fd: number, offset: number): { start: number; end: number } | undefined {
  const start = Number(libc.lseek(fd, BigInt(offset), seekData));
  if (start < 0) return undefined;
  return { start, end: Number(libc.lseek(fd, BigInt(start), seekHole)) };
}

/** Copies inside the kernel, from and to the same offset. @returns bytes copied, which may be fewer than asked. */
export function copyBytes(from: number, to: number, range: { start: number; length: number }): number {
  const seekSet = 0;
  if (libc.lseek(to, BigInt(range.start), seekSet) < 0n) return -1;
  const offset = new BigInt64Array([BigInt(range.start)]);
  return Number(libc.sendfile(to, from, ptr(offset), BigInt(range.length)));
}

/**
 * Sends a signal to exactly the process that `isSame` confirms: the descriptor pins it, so a reused pid is never hit.
 * @returns false when the process is gone.
 */
export function signalProcess(pid: number, signal: number, isSame: () => boolean): boolean {
  const pinned = Number(libc.syscall(pidfdOpen, BigInt(pid), 0n, 0n, 0n));
  if (pinned < 0) return false;
  try {
    return isSame() && libc.syscall(pidfdSendSignal, BigInt(pinned), BigInt(signal), 0n, 0n) === 0n;
  } finally {
    closeSync(pinned);
  }
}
