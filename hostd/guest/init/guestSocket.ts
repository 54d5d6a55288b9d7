import { Duplex } from 'node:stream';
import { Fault } from '@lebureau/kit/fault';
import { decodeFields } from './fields.ts';
import type { Frame } from './frame.ts';
import { messageType, readError } from './messages.ts';

const windowBytes = 64 * 1024;
const chunkBytes = 16 * 1024;
/** The guest has no window of ours, so a reader that sleeps would have us keep whatever it sends. */
const unreadMaxBytes = 4 * 2 ** 20;

/** A connection to a Unix socket of the guest, over the init channel. */
export class GuestSocket extends Duplex {
  readonly opened: Promise<void>;
  readonly #send: (type: number, payload: Uint8Array) => void;
  readonly #onEnd: () => void;
  #open!: () => void;
  #refuse!: (reason: unknown) => void;
  #allowed = windowBytes;
  #waiting: { bytes: Buffer; done: (error?: Error | null) => void } | undefined;
  #over = false;

  /** @param parts `onEnd` is called once, when nothing more belongs to this connection. */
  constructor(parts: { send: (type: number, payload: Uint8Array) => void; onEnd: () => void }) {
    super({ allowHalfOpen: false });
    this.#send = parts.send;
    this.#onEnd = parts.onEnd;
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#refuse = reject;
    });
    // Whoever opens it waits for `opened`; a stream that nobody uses any more must not end the process.
    this.on('error', () => {});
  }

  receive(frame: Frame): void {
    if (frame.type === (messageType.connect | messageType.answer)) this.#open();
    else if (frame.type === messageType.stdout) this.#collect(frame.payload);
    else if (frame.type === messageType.credit) this.#credit(frame.payload);
    else if (frame.type === messageType.exit) this.#ended();
    else if (frame.type === messageType.error) this.fail(refusal(frame.payload));
  }

  /** The channel below it is gone, or the guest refused. */
  fail(reason: unknown): void {
    this.#over = true;
    this.#refuse(reason);
    this.destroy(reason instanceof Error ? reason : new Error(String(reason)));
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#waiting = { bytes, done };
    this.#feed();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#over) this.#send(messageType.stdinEnd, new Uint8Array());
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#over) this.#send(messageType.kill, new Uint8Array());
    this.#over = true;
    this.#refuse(error ?? new Fault('guest_unreachable', 'the guest closed the connection'));
    this.#onEnd();
    done(error);
  }

  #feed(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    let { bytes } = waiting;
    while (bytes.length > 0 && this.#allowed > 0) {
      const count = Math.min(chunkBytes, bytes.length, this.#allowed);
      this.#send(messageType.stdin, bytes.subarray(0, count));
      this.#allowed -= count;
      bytes = bytes.subarray(count);
    }
    this.#waiting = bytes.length > 0 ? { ...waiting, bytes } : undefined;
    if (bytes.length === 0) waiting.done();
  }

  #collect(payload: Uint8Array): void {
    this.push(Buffer.from(payload));
    if (this.readableLength > unreadMaxBytes) this.destroy(new Error('nobody reads what the guest sends'));
  }

  #credit(payload: Uint8Array): void {
    const bytes = Number(decodeFields(payload).get('bytes'));
    if (!Number.isInteger(bytes) || bytes <= 0) return;
    this.#allowed = Math.min(this.#allowed + bytes, windowBytes);
    this.#feed();
  }

  /** What was received and not read yet is still there to be read; what is still to be written never arrives. */
  #ended(): void {
    this.#over = true;
    this.#refuse(new Fault('guest_unreachable', 'the guest closed the connection'));
    this.push(null);
    this.#waiting?.done();
    this.#waiting = undefined;
  }
}

function refusal(payload: Uint8Array): Fault {
  return new Fault('guest_unreachable', `the guest refused the connection: ${readError(payload).detail}`);
}
