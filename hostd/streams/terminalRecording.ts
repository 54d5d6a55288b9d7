import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '@lebureau/kit/clock';
import { readCastHeader } from './castParts.ts';

const fileMaxBytes = 16 * 1_048_576;

/**
 * What a terminal shows, as asciicast v2: a line that says its size and beginning, then one for each output. What is typed
 * is not kept, because passwords are. At its greatest size it ends with a mark and takes nothing more.
 */
export class TerminalRecording {
  readonly #clock: Clock;
  readonly #file: number;
  readonly #beganMs: number;
  readonly #decoder = new TextDecoder('utf-8');
  #bytes: number;
  #open = true;

  constructor(path: string, at: { clock: Clock; columns: number; rows: number }) {
    this.#clock = at.clock;
    const formerMs = beginningOf(path);
    this.#file = openSync(path, formerMs === undefined ? 'w' : 'a', 0o600);
    this.#bytes = fstatSync(this.#file).size;
    this.#beganMs = formerMs ?? at.clock.nowMs();
    if (formerMs === undefined) {
      const timestamp = Math.floor(this.#beganMs / 1000);
      this.#line({ version: 2, width: at.columns, height: at.rows, timestamp, env: { TERM: 'xterm-256color' } });
    } else this.resized(at);
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

  #event(kind: 'o' | 'r' | 'm', text: string): void {
    const seconds = Math.max(0, this.#clock.nowMs() - this.#beganMs) / 1000;
    this.#line([seconds, kind, text]);
  }

  #line(value: unknown): void {
    if (!this.#open || this.#bytes >= fileMaxBytes) return;
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    this.#bytes += bytes.length;
    if (this.#bytes < fileMaxBytes) return void writeSync(this.#file, bytes);
    const seconds = (this.#clock.nowMs() - this.#beganMs) / 1000;
    writeSync(this.#file, `${JSON.stringify([seconds, 'm', 'the recording is full'])}\n`);
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
