import { GrowingBuffer } from './growingBuffer.ts';

/** One message of the init protocol. Its wire form is COBS of `type u8, stream u32, payload, crc32 u32`, ended by a zero. */
export interface Frame {
  type: number;
  stream: number;
  payload: Uint8Array;
}

export const payloadMaxBytes = 256 * 1024;
const overheadBytes = 9;
const encodedMaxBytes = payloadMaxBytes + overheadBytes + Math.ceil((payloadMaxBytes + overheadBytes) / 254) + 1;

export function encodeFrame(frame: Frame): Buffer {
  const plain = Buffer.alloc(frame.payload.length + overheadBytes);
  plain[0] = frame.type;
  plain.writeUInt32BE(frame.stream, 1);
  plain.set(frame.payload, 5);
  plain.writeUInt32BE(Bun.hash.crc32(plain.subarray(0, -4)), plain.length - 4);
  return stuff(plain);
}

/** Consistent overhead byte stuffing (Cheshire and Baker), so that a zero ends a frame and nothing else. */
function stuff(plain: Buffer): Buffer {
  const out = Buffer.allocUnsafe(plain.length + Math.ceil(plain.length / 254) + 2);
  let to = 0;
  for (let from = 0; from <= plain.length;) {
    const zero = plain.indexOf(0, from);
    const end = zero < 0 ? plain.length : zero;
    const count = Math.min(end - from, 254);
    out[to] = count + 1;
    plain.copy(out, to + 1, from, from + count);
    to += count + 1;
    // A full block stands for no zero; any other stands for one, or for the end.
    from += count === 254 ? 254 : count + 1;
  }
  out[to] = 0;
  return out.subarray(0, to + 1);
}

function unstuff(coded: Buffer): Buffer | undefined {
  const out = Buffer.allocUnsafe(coded.length);
  let to = 0;
  for (let from = 0; from < coded.length;) {
    const code = coded[from]!;
    const end = from + code;
    if (code === 0 || end > coded.length) return undefined;
    coded.copy(out, to, from + 1, end);
    to += code - 1;
    from = end;
    if (code !== 0xff && from < coded.length) out[to++] = 0;
  }
  return out.subarray(0, to);
}

/** Turns the bytes of a guest into frames. Broken frames are counted and left out; memory is bounded by one frame. */
export class FrameReader {
  readonly #begun = new GrowingBuffer(encodedMaxBytes);
  #skipping = false;
  broken = 0;

  *read(chunk: Buffer): Generator<Frame> {
    for (let from = 0; from < chunk.length;) {
      const zero = chunk.indexOf(0, from);
      const part = chunk.subarray(from, zero < 0 ? chunk.length : zero);
      if (zero < 0) return this.#keep(part);
      from = zero + 1;
      const frame = this.#take(part);
      if (frame) yield frame;
    }
  }

  #keep(part: Buffer): void {
    if (this.#skipping) return;
    this.#skipping = !this.#begun.append(part);
    if (this.#skipping) this.#begun.take();
  }

  #take(last: Buffer): Frame | undefined {
    const isBegun = this.#skipping || this.#begun.length > 0;
    if (isBegun || last.length > encodedMaxBytes) this.#keep(last);
    const whole = isBegun ? this.#begun.take() : last;
    const skipped = this.#skipping;
    this.#skipping = false;
    if (whole.length === 0 && !skipped) return undefined;
    const plain = skipped ? undefined : unstuff(whole);
    if (!plain || plain.length < overheadBytes) return this.#drop();
    const body = plain.subarray(0, -4);
    if (Bun.hash.crc32(body) !== plain.readUInt32BE(plain.length - 4)) return this.#drop();
    return { type: body[0]!, stream: body.readUInt32BE(1), payload: body.subarray(5) };
  }

  #drop(): undefined {
    this.broken += 1;
    return undefined;
  }
}
