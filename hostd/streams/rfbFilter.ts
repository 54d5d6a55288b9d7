import { HeldKeys } from './heldKeys.ts';
import { headMaxBytes, messageAt, type RfbMessage } from './rfbMessages.ts';

/** Messages up to this length are held until they are whole, so that what they hold down is known. */
const wholeMaxBytes = 20;

/**
 * What a viewer sends, of which only what it may send is passed on. Whether it may write is asked when a message begins;
 * one whose beginning passed passes whole, because half a message would be no RFB. Nothing but a head is ever kept.
 */
export class RfbFilter {
  readonly #parts: { pass: (bytes: Buffer) => void; mayWrite: () => boolean };
  readonly #held = new HeldKeys();
  #head: Buffer = Buffer.alloc(0);
  #left = 0;
  #passing = false;

  constructor(parts: { pass: (bytes: Buffer) => void; mayWrite: () => boolean }) {
    this.#parts = parts;
  }

  /** @throws Error for what is no RFB */
  take(piece: Buffer): void {
    let rest = piece;
    while (rest.length > 0) {
      if (this.#left > 0) rest = this.#body(rest);
      else rest = this.#begin(rest);
    }
  }

  /** Lets go of everything that this viewer holds down; between two of its messages, or never. */
  release(): void {
    if (this.#left > 0 && this.#passing) return;
    for (const message of this.#held.release()) this.#parts.pass(message);
  }

  #body(bytes: Buffer): Buffer {
    const part = bytes.subarray(0, this.#left);
    this.#left -= part.length;
    if (this.#passing) this.#parts.pass(part);
    return bytes.subarray(part.length);
  }

  #begin(bytes: Buffer): Buffer {
    const known = this.#head.length;
    const head = known === 0 ? bytes : Buffer.concat([this.#head, bytes.subarray(0, wholeMaxBytes)]);
    const message = messageAt(head.subarray(0, Math.max(headMaxBytes, 1)));
    const isWhole = message !== undefined && head.length >= Math.min(message.length, wholeMaxBytes);
    if (!isWhole) {
      this.#head = Buffer.from(head);
      return bytes.subarray(bytes.length);
    }
    this.#head = Buffer.alloc(0);
    const taken = Math.min(message.length, head.length);
    this.#decide(message, head.subarray(0, taken));
    return bytes.subarray(taken - known);
  }

  #decide(message: RfbMessage, beginning: Buffer): void {
    this.#passing = message.kind === 'look' || (message.kind === 'write' && this.#parts.mayWrite());
    this.#left = message.length - beginning.length;
    if (!this.#passing) return;
    if (message.kind === 'write' && this.#left === 0) this.#held.note(beginning);
    this.#parts.pass(beginning);
  }
}
