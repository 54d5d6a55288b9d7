import type { Duplex } from 'node:stream';
import { closeCodes, type EndListener, type StreamEnd } from './streamEnd.ts';

const lingerMs = 1_000;

/**
 * What is handed on at once. A quarter of a megabyte and more comes at a time; the buffer of a Unix socket holds some 200
 * KiB, and what it does not take must be copied and kept.
 */
const pieceMaxBytes = 163_840;

/** A byte stream as one end of a live stream. It has no text: what comes is given to `onText`. */
export class DuplexEnd implements StreamEnd {
  readonly #stream: Duplex;
  readonly #onText: (text: string) => void;
  #listener: EndListener | undefined;
  #isPaused = false;
  /** Read, and not handed on because nobody takes more now. */
  #rest: Buffer | undefined;
  /** The other side says no more, and by then hears nothing either. */
  #isEnded = false;
  #over = false;

  /** @param first bytes that were read already */
  constructor(stream: Duplex, options: { first?: Buffer; onText?: (text: string) => void } = {}) {
    this.#stream = stream;
    this.#onText = options.onText ?? (() => {});
    stream.pause();
    if (options.first && options.first.length > 0) stream.unshift(options.first);
  }

  listen(listener: EndListener): void {
    this.#listener = listener;
    const stream = this.#stream;
    stream.on('data', (piece: Buffer) => this.#hand(piece));
    stream.on('drain', () => listener.drained());
    stream.on('end', () => {
      this.#isEnded = true;
      if (this.#rest === undefined) this.#end();
    });
    stream.on('error', () => this.#end());
    stream.on('close', () => this.#end(closeCodes.normal, 'ended'));
    if (stream.destroyed) this.#end();
    else stream.resume();
  }

  send(piece: Uint8Array): boolean {
    return this.#over || this.#isEnded || this.#stream.write(piece);
  }

  sendText(text: string): boolean {
    if (!this.#over) this.#onText(text);
    return true;
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#hand(rest);
    if (this.#rest !== undefined || this.#isPaused) return;
    if (this.#isEnded) this.#end();
    else this.#stream.resume();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#rest = undefined;
    const stream = this.#stream;
    // What was sent last still arrives, unless nobody takes it.
    const timer = setTimeout(() => stream.destroy(), lingerMs);
    stream.once('close', () => clearTimeout(timer));
    stream.end(() => stream.destroy());
    stream.resume();
  }

  #hand(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#rest !== undefined) return void (this.#rest = Buffer.concat([this.#rest, bytes]));
    for (let at = 0; at < bytes.length && !this.#over; at += pieceMaxBytes) {
      if (this.#isPaused) return void (this.#rest = bytes.subarray(at));
      this.#listener!.bytes(bytes.subarray(at, at + pieceMaxBytes));
    }
  }

  /** Whoever pauses is given the rest all the same: nothing will ask for it once the connection is gone. */
  #end(
    code: number = this.#isEnded ? closeCodes.normal : closeCodes.unreachable,
    reason = this.#isEnded ? 'ended' : 'the connection broke',
  ): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined && !this.#over) this.#listener!.bytes(rest);
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
    this.#listener!.closed(code, reason);
  }
}
