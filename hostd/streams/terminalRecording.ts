import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import type { Clock } from '@lebureau/kit/clock';
import { readCastHeader } from './castParts.ts';
import { endOfLines } from './endOfLines.ts';

export interface RecordingParts {
  clock: Clock;
  columns: number;
  rows: number;
  /** It ended before its terminal did, and nothing follows: the disk took no more, or what was recorded was removed. */
  onBroken?: (cause: unknown) => void;
}

const fileMaxBytes = 16 * 1_048_576;
const fullMark = 'the recording is full';
/** Behind its time. No output ends like this: a quotation mark that was shown has a backslash. */
const markEnd = Buffer.from(`,"m","${fullMark}"]\n`);
/** Several may record one terminal, and whoever showed it before says its last words: each line goes behind what is there. */
const appendOn = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;
const appendAnew = appendOn | constants.O_TRUNC;

/**
 * What a terminal shows, as asciicast v2: a line that says its size and beginning, then one for each output. What is typed
 * is not kept, because passwords are. At its greatest size, and where the disk takes no more, it ends with a mark that says
 * so and takes nothing more; up to there it is whole. Opened again, one that the disk broke off goes on behind its mark, and
 * a full one stays as it is.
 */
export class TerminalRecording {
  readonly #path: string;
  readonly #parts: RecordingParts;
  readonly #file: number;
  readonly #beganMs: number;
  readonly #decoder = new TextDecoder('utf-8');
  /** As this one left it: it is longer where somebody else writes, too. */
  #sizeBytes: number;
  #open = true;
  #ended = false;

  /** @throws Error when the disk does not take its beginning */
  constructor(path: string, parts: RecordingParts) {
    this.#path = path;
    this.#parts = parts;
    const formerMs = beginningOf(path);
    // A crash may have cut the last line off.
    if (formerMs !== undefined) endWithLine(path);
    this.#file = openSync(path, formerMs === undefined ? appendAnew : appendOn, 0o600);
    this.#sizeBytes = fstatSync(this.#file).size;
    this.#ended = isFull(this.#file, this.#sizeBytes);
    // As the first line says it, in whole seconds: who opens it again knows no more.
    this.#beganMs = formerMs ?? Math.floor(parts.clock.nowMs() / 1000) * 1000;
    if (formerMs === undefined) this.#begin();
    else this.resized(parts);
  }

  output(piece: Buffer): void {
    const text = this.#decoder.decode(piece, { stream: true });
    if (text !== '') this.#event('o', text);
  }

  resized({ columns, rows }: { columns: number; rows: number }): void {
    this.#event('r', `${columns}x${rows}`);
  }

  close(): void {
    if (this.#open) closeSync(this.#file);
    this.#open = false;
  }

  #begin(): void {
    const { columns: width, rows: height } = this.#parts;
    const timestamp = this.#beganMs / 1000;
    const header = lineOf({ version: 2, width, height, timestamp, env: { TERM: 'xterm-256color' } });
    this.#sizeBytes += header.length;
    const cause = append(this.#file, header);
    if (cause === undefined) return;
    this.close();
    unlinkSync(this.#path);
    throw cause;
  }

  #event(kind: 'o' | 'r', text: string): void {
    if (!this.#open || this.#ended) return;
    const { size: sizeBytes, nlink: names } = fstatSync(this.#file);
    if (names === 0) return this.#endRemoved();
    this.#ended = sizeBytes !== this.#sizeBytes && isFull(this.#file, sizeBytes);
    if (this.#ended) return;
    const line = lineOf([this.#seconds(), kind, text]);
    this.#ended = sizeBytes + line.length >= fileMaxBytes;
    const said = this.#ended ? this.#mark(fullMark) : line;
    this.#sizeBytes = sizeBytes + said.length;
    const cause = append(this.#file, said);
    if (cause !== undefined) this.#break(cause);
  }

  /** Who deleted it wants no more of it; what is opened from now on begins anew. */
  #endRemoved(): void {
    this.#ended = true;
    this.#parts.onBroken?.(new Error('the recording was removed'));
  }

  /** A full disk takes a part of a line and then nothing. What has room still is what lies there already. */
  #break(cause: unknown): void {
    this.#ended = true;
    try {
      endWithMark(this.#path, this.#mark('the recording ended: the disk took no more'));
    } catch {
      // Whoever reads it leaves a part of a line out, and the log says that it ended.
    }
    this.#parts.onBroken?.(cause);
  }

  #mark(text: string): Buffer {
    return lineOf([this.#seconds(), 'm', text]);
  }

  #seconds(): number {
    return Math.max(0, this.#parts.clock.nowMs() - this.#beganMs) / 1000;
  }
}

function lineOf(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** Nothing belongs behind the mark of a full one, however little it lacks. */
function isFull(file: number, sizeBytes: number): boolean {
  if (sizeBytes >= fileMaxBytes) return true;
  const last = Buffer.alloc(Math.min(sizeBytes, markEnd.length));
  readSync(file, last, 0, last.length, sizeBytes - last.length);
  return last.equals(markEnd);
}

/** @returns why the disk did not take all of it, or undefined */
function append(file: number, bytes: Buffer): Error | undefined {
  try {
    for (let written = 0, taken: number; written < bytes.length; written += taken) {
      taken = writeSync(file, bytes, written);
      if (taken === 0) throw new Error('the disk took nothing');
    }
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause : new Error('the disk took not all', { cause });
  }
}

/** Writes the mark over the last lines, as few as it takes, because nothing new has room. The first line stays. */
function endWithMark(path: string, mark: Buffer): void {
  const file = openSync(path, 'r+');
  try {
    const sizeBytes = fstatSync(file).size;
    const end = endOfLines(file, sizeBytes - mark.length);
    const written = end === 0 ? 0 : writeSync(file, mark, 0, mark.length, end);
    ftruncateSync(file, written === mark.length ? end + written : endOfLines(file, end === 0 ? sizeBytes : end));
  } finally {
    closeSync(file);
  }
}

function endWithLine(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const sizeBytes = fstatSync(file).size;
    const end = endOfLines(file, sizeBytes);
    // A first line that lacks but its end is good.
    if (end === 0) writeSync(file, '\n', sizeBytes);
    else if (end < sizeBytes) ftruncateSync(file, end);
  } finally {
    closeSync(file);
  }
}

/** Milliseconds since 1970 of the recording that is there, or undefined. */
function beginningOf(path: string): number | undefined {
  try {
    const header = readCastHeader(path);
    return header === undefined ? undefined : header.timestamp * 1000;
  } catch {
    return undefined;
  }
}
