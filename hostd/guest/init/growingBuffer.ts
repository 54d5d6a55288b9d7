const startBytes = 1024;

/** Bytes that come in pieces, kept in one buffer: a piece of a single byte costs no more than that byte. */
export class GrowingBuffer {
  readonly #maxBytes: number;
  #bytes = Buffer.alloc(0);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns false when not all of it had room; the front part is kept. */
  append(piece: Uint8Array): boolean {
    const kept = piece.subarray(0, Math.max(0, this.#maxBytes - this.#length));
    const needed = this.#length + kept.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#bytes.set(kept, this.#length);
    this.#length = needed;
    return kept.length === piece.length;
  }

  /** All of it; empty afterwards. */
  take(): Buffer {
    const whole = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return whole;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(
      Math.min(this.#maxBytes, Math.max(startBytes, needed, this.#bytes.length * 2)),
    );
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
