const nothing = Buffer.alloc(0);

/**
 * One message, gathered of its pieces in one buffer that grows: it takes no more than twice its length, nor more than the
 * limit, however small the pieces are.
 */
export class Gathered {
  readonly #maxBytes: number;
  #bytes: Buffer = nothing;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What it takes now. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** @throws Error when that is more than the limit */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#maxBytes) throw new Error(`a message of more than ${this.#maxBytes} bytes is refused`);
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * this.#length, this.#maxBytes)));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** The message, which is the caller's from now on; the next one begins. */
  take(): Buffer {
    const message = this.#bytes.subarray(0, this.#length);
    [this.#bytes, this.#length] = [nothing, 0];
    return message;
  }
}
