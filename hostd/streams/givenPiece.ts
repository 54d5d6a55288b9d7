import { closeSync, fsyncSync, fstatSync, ftruncateSync, openSync, renameSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';

/** A part of a recording of another node; all parts of one are sent in order. */
export interface GivenPiece {
  terminalName: string;
  /** Seconds since 1970: tells recordings of one terminal on several nodes apart. */
  beganAt: number;
  offset: number;
  totalBytes: number;
  changedAtMs: number;
  bytes: Uint8Array;
}

/** A whole recording and its last mark. */
const totalMaxBytes = 16 * 1_048_576 + 4096;

/**
 * Writes a piece behind the one before it. With the last one the file is on the disk and gets the name that `finish` says.
 * @throws Fault `wrong_state` for one that does not follow: its sender begins anew; `disk_full` when not all of it fits
 */
export function takePiece(folder: string, piece: GivenPiece, finish: () => string): void {
  const { terminalName, beganAt, offset, totalBytes, changedAtMs, bytes } = piece;
  const end = offset + bytes.length;
  if (totalBytes > totalMaxBytes || end > totalBytes) throw new Fault('payload_too_large', 'No recording is so large.');
  const draft = join(folder, `${terminalName}.${beganAt}.part`);
  const file = openSync(draft, offset === 0 ? 'w' : 'a', 0o600);
  try {
    if (fstatSync(file).size !== offset) throw new Fault('wrong_state', 'Something is missing before this piece.');
    append(file, bytes, offset);
    if (end < totalBytes) return;
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  utimesSync(draft, changedAtMs / 1000, changedAtMs / 1000);
  renameSync(draft, join(folder, finish()));
}

/** All of it or nothing: a full disk takes a part of what it is given and calls that no error. */
function append(file: number, bytes: Uint8Array, offset: number): void {
  let cause: unknown;
  try {
    if (writeSync(file, bytes) === bytes.length) return;
  } catch (error) {
    cause = error;
  }
  ftruncateSync(file, offset);
  throw new Fault('disk_full', 'There is no room for a recording.', { cause });
}
