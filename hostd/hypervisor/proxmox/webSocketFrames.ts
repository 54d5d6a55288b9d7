import { randomBytes } from 'node:crypto';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface WebSocketFrame {
  opcode: number;
  payload: Buffer;
}

const payloadMaxBytes = 32 * 2 ** 20;

/** Frames of a server: they come unmasked. Pieces of one message are given as they come, for only their bytes matter. */
export class FrameParser {
  #kept: Buffer = Buffer.alloc(0);

  /** @throws Error for what no server may send. */
  read(chunk: Buffer): WebSocketFrame[] {
    const bytes = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    const frames: WebSocketFrame[] = [];
    let at = 0;
    for (let next = frameAt(bytes, at); next !== undefined; next = frameAt(bytes, at)) {
      frames.push(next.frame);
      at = next.end;
    }
    this.#kept = bytes.subarray(at);
    return frames;
  }
}

function frameAt(bytes: Buffer, at: number): { frame: WebSocketFrame; end: number } | undefined {
  if (bytes.length < at + 2) return undefined;
  const short = bytes[at + 1]! & 0x7f;
  if ((bytes[at + 1]! & 0x80) !== 0) throw new Error('a server must not mask');
  const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < at + headBytes) return undefined;
  const length =
    short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
  if (length > payloadMaxBytes) throw new Error(`a frame of ${length} bytes is refused`);
  const end = at + headBytes + length;
  if (bytes.length < end) return undefined;
  return { frame: { opcode: bytes[at]! & 0x0f, payload: bytes.subarray(at + headBytes, end) }, end };
}

/** One whole message of a client, which has to mask it. */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const sizeBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + sizeBytes + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (sizeBytes === 0 ? length : sizeBytes === 2 ? 126 : 127);
  if (sizeBytes === 2) frame.writeUInt16BE(length, 2);
  if (sizeBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  const start = 2 + sizeBytes;
  mask.copy(frame, start);
  for (let at = 0; at < length; at++) frame[start + 4 + at] = payload[at]! ^ mask[at & 3]!;
  return frame;
}
