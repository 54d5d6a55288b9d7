import type { Duplex } from 'node:stream';
import { closeCodes, type EndListener, type StreamEnd } from './streamEnd.ts';

const lingerMs = 1_000;

/** A byte stream as one end of a live stream. It has no text: what comes is given to `onText`. */
export class DuplexEnd implements StreamEnd {
  readonly #stream: Duplex;
  readonly #onText: (text: string) => void;
  #over = false;

  /** @param first bytes that were read already */
  constructor(stream: Duplex, options: { first?: Buffer; onText?: (text: string) => void } = {}) {
    this.#stream = stream;
    this.#onText = options.onText ?? (() => {});
    stream.pause();
    if (options.first && options.first.length > 0) stream.unshift(options.first);
  }

  listen(listener: EndListener): void {
    const stream = this.#stream;
    const end = (code: number, reason: string) => {
      if (this.#over) return;
      this.#over = true;
      stream.destroy();
      listener.closed(code, reason);
    };
    stream.on('data', (piece: Buffer) => listener.bytes(piece));
    stream.on('drain', () => listener.drained());
    stream.on('error', () => end(closeCodes.unreachable, 'the connection broke'));
    stream.on('end', () => end(closeCodes.normal, 'ended'));
    stream.on('close', () => end(closeCodes.normal, 'ended'));
    if (stream.destroyed) end(closeCodes.unreachable, 'the connection broke');
    else stream.resume();
  }

  send(piece: Uint8Array): boolean {
    return this.#over || this.#stream.write(piece);
  }

  sendText(text: string): boolean {
    if (!this.#over) this.#onText(text);
    return true;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    const stream = this.#stream;
    // What was sent last still arrives, unless nobody takes it.
    const timer = setTimeout(() => stream.destroy(), lingerMs);
    stream.once('close', () => clearTimeout(timer));
    stream.end(() => stream.destroy());
    stream.resume();
  }
}
