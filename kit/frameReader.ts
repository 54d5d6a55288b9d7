import { Gathered, type WholeMessages } from './gathered.ts';

/** What a WebSocket frame is (RFC 6455 §5.2). */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameHandlers {
  /** A piece of a binary message, as it came: where messages begin and end does not matter. */
  bytes(piece: Buffer): void;
  /** The binary message whose pieces came is complete. */
  messageEnded?(): void;
  /** What is unfinished is not waited for any more. */
  dropped?(): void;
  /** A whole text message. */
  text(text: string): void;
  closed(code: number, reason: string): void;
  ping(payload: Buffer): void;
}

const nothing = Buffer.alloc(0);
const headMaxBytes = 10;
const controlMaxBytes = 125;
const usualTextMaxBytes = 65_536;
/** No length of a frame is ever allocated; this only refuses what nobody means. */
const binaryMaxBytes = 2 ** 40;

/** Frames of a server, which come unmasked. Binary payload is handed on piece by piece, so that nothing piles up here. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  #head: Buffer = nothing;
  #left = 0;
  #opcode: number | undefined;
  #final = true;
  /** Of the message that a continuation goes on with. */
  #message: number | undefined;
  readonly #text: Gathered;
  /** Of the control frame that is being read; it may stand between the parts of a text. */
  #controls: Buffer[] = [];

  constructor(handlers: FrameHandlers, { messageMaxBytes = usualTextMaxBytes, messageBudget }: WholeMessages = {}) {
    this.#handlers = handlers;
    this.#text = new Gathered(messageMaxBytes, messageBudget);
  }

  /** @throws Error for what no server may send */
  read(chunk: Buffer): void {
    let rest = chunk;
    for (;;) {
      if (this.#opcode === undefined) {
        const after = this.#readHead(rest);
        if (after === undefined) return;
        rest = after;
      }
      const take = Math.min(this.#left, rest.length);
      this.#take(rest.subarray(0, take));
      this.#left -= take;
      rest = rest.subarray(take);
      if (this.#left > 0) return;
      this.#end();
      if (rest.length === 0) return;
    }
  }

  /** The connection is over. */
  drop(): void {
    this.#text.drop();
    this.#handlers.dropped?.();
  }

  /** @returns what follows the head, or undefined while it is incomplete */
  #readHead(chunk: Buffer): Buffer | undefined {
    const known = this.#head.length;
    const bytes = known === 0 ? chunk : Buffer.concat([this.#head, chunk.subarray(0, headMaxBytes - known)]);
    const short = bytes.length < 2 ? undefined : bytes[1]! & 0x7f;
    const size = short === undefined ? 2 : short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < size) {
      this.#head = Buffer.from(bytes);
      return undefined;
    }
    this.#head = nothing;
    this.#begin(bytes, short!);
    return chunk.subarray(size - known);
  }

  #begin(head: Buffer, short: number): void {
    if ((head[0]! & 0x70) !== 0) throw new Error('an extension that nobody asked for');
    if ((head[1]! & 0x80) !== 0) throw new Error('a server must not mask');
    const opcode = head[0]! & 0x0f;
    const length = short === 127 ? Number(head.readBigUInt64BE(2)) : short === 126 ? head.readUInt16BE(2) : short;
    this.#final = (head[0]! & 0x80) !== 0;
    if (opcode > opcodes.pong || (opcode > opcodes.binary && opcode < opcodes.close))
      throw new Error(`opcode ${opcode} is unknown`);
    if (opcode >= opcodes.close && (length > controlMaxBytes || !this.#final))
      throw new Error('a control frame too long');
    if (opcode === opcodes.continuation && this.#message === undefined) throw new Error('nothing to go on with');
    if (opcode === opcodes.text || opcode === opcodes.binary) {
      if (this.#message !== undefined) throw new Error('a message inside another');
      this.#message = opcode;
    }
    if (length > binaryMaxBytes) throw new Error(`a frame of ${length} bytes is refused`);
    this.#opcode = opcode;
    this.#left = length;
  }

  #take(piece: Buffer): void {
    if (piece.length === 0) return;
    const opcode = this.#opcode === opcodes.continuation ? this.#message : this.#opcode;
    if (opcode === opcodes.binary) return this.#handlers.bytes(piece);
    if (opcode !== opcodes.text) return void this.#controls.push(Buffer.from(piece));
    this.#text.add(piece);
  }

  #end(): void {
    const opcode = this.#opcode!;
    this.#opcode = undefined;
    if (opcode >= opcodes.close) return this.#control(opcode, Buffer.concat(this.#controls.splice(0)));
    if (!this.#final) return;
    const message = this.#message;
    this.#message = undefined;
    if (message !== opcodes.text) return this.#handlers.messageEnded?.();
    this.#handlers.text(this.#text.take().toString('utf8'));
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#handlers.ping(payload);
    if (opcode !== opcodes.close) return;
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    this.#handlers.closed(code, payload.subarray(2).toString('utf8'));
  }
}

/**
 * The head of one whole message of a client. It has to mask; by a key of zeros, which changes nothing, because no proxy
 * stands between the two ends.
 */
export function maskedHead(opcode: number, length: number): Buffer {
  const sizeBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + sizeBytes + 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (sizeBytes === 0 ? length : sizeBytes === 2 ? 126 : 127);
  if (sizeBytes === 2) head.writeUInt16BE(length, 2);
  if (sizeBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
