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
  /** The pointer event that passed last. */
  #place: Buffer | undefined;
  #isElsewhere = false;

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

  /**
   * Somebody else may have moved the pointer by another way since. A guest's kernel drops a position that is the same as
   * the device's last one, so a click there would land where the pointer is now.
   */
  pointerIsElsewhere(): void {
    this.#isElsewhere = true;
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
    if (message.kind === 'write' && this.#left === 0) {
      this.#held.note(beginning);
      if (beginning[0] === 5) this.#point(beginning);
    }
    this.#parts.pass(beginning);
  }

  /** One pixel beside first. Two moves may be taken for one, so it is done again until one says a new place or a button. */
  #point(event: Buffer): void {
    if (this.#isElsewhere) {
      const beside = Buffer.from(event);
      const x = event.readUInt16BE(2);
      beside.writeUInt16BE(x === 0 ? 1 : x - 1, 2);
      beside[1] = 0;
      this.#parts.pass(beside);
      const isNew = this.#place === undefined || this.#place.compare(event, 2, 6, 2, 6) !== 0;
      if (isNew || event[1] !== 0) this.#isElsewhere = false;
    }
    this.#place = Buffer.from(event);
  }
}
