import {
  closeSync,
  constants,
  fsyncSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { isFileMissing } from '../home.ts';

/** A part of a recording of another node; all parts of one are sent in order. */
export interface GivenPiece {
  terminalName: string;
  /** Seconds since 1970: tells recordings of one terminal on several nodes apart. */
  beganAt: number;
  offset: number;
  totalBytes: number;
  changedAtMs: number;
  /** No piece: what began before `changedAtMs` was deleted where the desktop was. */
  deleted?: true;
  bytes: Uint8Array;
}

/** A whole recording and its last mark. */
const totalMaxBytes = 16 * 1_048_576 + 4096;

/**
 * Writes a piece behind the one before it, in the one draft that a desktop has. With the last one the file is on the disk
 * and gets the name that `finish` says.
 * @throws Fault `wrong_state` for one that does not follow: its sender begins anew; `disk_full` when not all of it fits
 */
export function takePiece(folder: string, piece: GivenPiece, finish: () => string): void {
  const { terminalName, beganAt, offset, totalBytes, changedAtMs, bytes } = piece;
  const end = offset + bytes.length;
  if (totalBytes > totalMaxBytes || end > totalBytes) throw new Fault('payload_too_large', 'No recording is so large.');
  const draft = join(folder, `${terminalName}.${beganAt}.part`);
  if (offset === 0) removeDrafts(folder);
  const file = openDraft(draft, offset === 0);
  try {
    if (fstatSync(file).size !== offset) throw missing();
    append(file, bytes, offset);
    if (end < totalBytes) return;
    futimesSync(file, changedAtMs / 1000, changedAtMs / 1000);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, join(folder, finish()));
}

/** One draft a desktop at most: who sends says when a recording began, and could begin any number. */
function removeDrafts(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith('.part')) unlinkSync(join(folder, name));
}

/** What came of a recording and is not whole yet. @param isGone told when it began, in seconds since 1970 */
export function removeDraftOf(folder: string, terminalName: string, isGone: (beganAt: number) => boolean): void {
  for (const name of readdirSync(folder)) {
    const [, ofName, beganAt] = /^(.+)\.(\d+)\.part$/.exec(name) ?? [];
    if (ofName === terminalName && isGone(Number(beganAt))) unlinkSync(join(folder, name));
  }
}

/** A piece in the middle makes no file. */
function openDraft(path: string, isFirst: boolean): number {
  try {
    return openSync(path, isFirst ? 'w' : constants.O_WRONLY | constants.O_APPEND, 0o600);
  } catch (error) {
    throw isFileMissing(error) ? missing() : error;
  }
}

function missing(): Fault {
  return new Fault('wrong_state', 'Something is missing before this piece.');
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
