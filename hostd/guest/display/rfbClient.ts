import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { ByteReader } from './byteReader.ts';
import type { Rectangle } from './damageGrid.ts';
import { Framebuffer } from './framebuffer.ts';
import { type ScreenSize, shakeHands } from './rfbHandshake.ts';
import { RectangleReader, encodings } from './rfbRectangles.ts';

/** From the first byte of a message to its last, and for the handshake. */
const messageTimeoutMs = 10_000;
const cutTextMaxBytes = 1_048_576;
/** An update that paints the screen more often than this is no picture but an attempt to keep us busy. */
const paintedScreensMax = 4;
/** Pixels after which everything else gets its turn; a rectangle counts as some on its own. */
const workAtOnce = 1_048_576;
const rectangleWork = 4096;
/** A key that nobody holds: letting go of it changes nothing, but wakes a server that looks at the screen ever less often. */
const idleKeysym = 0xff14;

export interface RfbOptions {
  clock: Clock;
  password?: string;
  /** Kept over connections, so that frames taken before stay comparable; replaced when the size differs. */
  framebuffer?: Framebuffer;
}

/**
 * One RFB connection. The server sends what changed when it is asked by `confirm`, which also tells when the framebuffer
 * certainly holds everything that was on the screen at a moment. No request is outstanding besides, because an answer
 * does not say which request it belongs to.
 */
export class RfbClient {
  /** Settles when the connection is over. Never rejects; the reason is in `failure`. */
  readonly closed: Promise<void>;
  private readonly stream: Duplex;
  private readonly reader: ByteReader;
  private readonly rectangles: RectangleReader;
  private readonly clock: Clock;
  private framebufferNow: Framebuffer;
  private failureNow: Error | undefined;
  private missingPixels: number;
  private workSincePause = 0;
  private probe: { sentMs: number | undefined; answered: Promise<void>; answer: () => void } | undefined;
  private confirmedMsNow = Number.NEGATIVE_INFINITY;
  private updateListeners = new Set<() => void>();

  /** @throws Error when the server is none, refuses, or takes more than ten seconds. */
  static async connect(stream: Duplex, options: RfbOptions): Promise<RfbClient> {
    const reader = new ByteReader(stream);
    try {
      const size = await within(stream, options.clock, () => shakeHands(stream, reader, options.password));
      return new RfbClient({ stream, reader, size }, options);
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  private constructor(
    { stream, reader, size }: { stream: Duplex; reader: ByteReader; size: ScreenSize },
    { clock, framebuffer }: RfbOptions,
  ) {
    this.stream = stream;
    this.reader = reader;
    this.rectangles = new RectangleReader(reader);
    this.clock = clock;
    const fits = framebuffer?.width === size.width && framebuffer.height === size.height;
    this.framebufferNow = fits ? framebuffer! : new Framebuffer(size.width, size.height);
    this.missingPixels = size.width * size.height;
    stream.write(setPixelFormat());
    stream.write(setEncodings());
    stream.write(updateRequest(false, this.framebufferNow.screen));
    this.closed = this.readMessages();
  }

  get framebuffer(): Framebuffer {
    return this.framebufferNow;
  }

  get failure(): Error | undefined {
    return this.failureNow;
  }

  /** Every pixel was sent at least once. */
  get complete(): boolean {
    return this.missingPixels <= 0;
  }

  /** Everything on the screen up to this monotonic time is in the framebuffer. */
  get confirmedMs(): number {
    return this.complete ? this.confirmedMsNow : Number.NEGATIVE_INFINITY;
  }

  /**
   * Asks for all that changed, and for a sign that the server has looked at the whole screen. Resolves on that, or when
   * the connection ends. While an earlier question is unanswered this is the same one: compare `confirmedMs`.
   */
  confirm(): Promise<void> {
    if (this.failureNow) return Promise.resolve();
    if (!this.probe) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.probe = { sentMs: undefined, answered: promise, answer: resolve };
      this.sendProbe();
    }
    return this.probe.answered;
  }

  /** Called after every update, and when the connection ends. @returns the way to stop it. */
  onUpdate(listener: () => void): () => void {
    this.updateListeners.add(listener);
    return () => this.updateListeners.delete(listener);
  }

  /** @param buttons bit 0 left, 1 middle, 2 right, 3 and 4 the wheel up and down. */
  pointer(buttons: number, x: number, y: number): void {
    const message = Buffer.alloc(6);
    message[0] = 5;
    message[1] = buttons;
    message.writeUInt16BE(x, 2);
    message.writeUInt16BE(y, 4);
    this.write(message);
    this.framebufferNow.setCursorPosition({ x, y }, this.clock.monotonicMs());
  }

  key(keysym: number, down: boolean): void {
    this.write(keyEvent(keysym, down));
  }

  close(): void {
    this.failureNow ??= new Error('closed by us');
    this.stream.destroy();
  }

  private async readMessages(): Promise<void> {
    try {
      while (!this.failureNow) {
        const type = (await this.reader.read(1))[0]!;
        await within(this.stream, this.clock, () => this.readMessage(type));
      }
    } catch (error) {
      this.failureNow ??= error instanceof Error ? error : new Error(String(error));
    }
    this.stream.destroy();
    this.rectangles.close();
    this.probe?.answer();
    this.probe = undefined;
    this.notify();
  }

  private async readMessage(type: number): Promise<void> {
    switch (type) {
      case 0:
        return this.readUpdate();
      case 1: {
        const header = await this.reader.read(5);
        await this.reader.read(header.readUInt16BE(3) * 6);
        return;
      }
      case 2:
        return;
      case 3: {
        const length = Math.abs((await this.reader.read(7)).readInt32BE(3));
        if (length > cutTextMaxBytes) throw new Error(`a cut text of ${length} bytes is refused`);
        await this.reader.read(length);
        return;
      }
      default:
        throw new Error(`message ${type} is unknown`);
    }
  }

  private async readUpdate(): Promise<void> {
    const count = (await this.reader.read(3)).readUInt16BE(1);
    this.framebufferNow.damage.advance();
    let answered = false;
    let resized = false;
    let paintedPixels = 0;
    for (let index = 0; index < count; index++) {
      const outcome = await this.rectangles.read(this.framebufferNow, this.clock.monotonicMs());
      if (outcome.last) break;
      if (outcome.resized && this.resize(outcome.resized)) {
        if (resized) throw new Error('more than one new size in an update is refused');
        resized = true;
        paintedPixels = 0;
        await this.pauseAfter(this.screenPixels());
      }
      const pixels = (outcome.painted?.width ?? 0) * (outcome.painted?.height ?? 0);
      if (outcome.painted) {
        this.missingPixels -= pixels;
        answered ||= outcome.painted.x === 0 && outcome.painted.y === 0;
      }
      paintedPixels += pixels;
      if (paintedPixels > paintedScreensMax * this.screenPixels())
        throw new Error('an update painted the screen too often');
      await this.pauseAfter(rectangleWork + pixels);
    }
    const asksAnew = this.probe?.sentMs === undefined;
    if (answered && this.probe?.sentMs !== undefined) {
      const { sentMs, answer } = this.probe;
      this.confirmedMsNow = sentMs;
      this.probe = undefined;
      answer();
    }
    this.sendProbe();
    // A server may answer in several updates, or first with one that holds no pixels; each wants to be asked for.
    const unanswered = !this.complete || (this.probe !== undefined && !asksAnew);
    if (unanswered) this.write(updateRequest(true, this.framebufferNow.screen));
    this.notify();
  }

  /** Not before the first whole picture: its answer would be taken for the sign. */
  private sendProbe(): void {
    if (!this.probe || this.probe.sentMs !== undefined || !this.complete) return;
    this.probe.sentMs = this.clock.monotonicMs();
    const sign = { x: 0, y: 0, width: 1, height: 1 };
    // In one piece, so that the server answers once.
    const messages = [
      keyEvent(idleKeysym, false),
      updateRequest(true, this.framebufferNow.screen),
      updateRequest(false, sign),
    ];
    this.write(Buffer.concat(messages));
  }

  private screenPixels(): number {
    return this.framebufferNow.width * this.framebufferNow.height;
  }

  /** What a server sends in one piece is read without waiting, so it could keep the whole process busy. */
  private async pauseAfter(work: number): Promise<void> {
    this.workSincePause += work;
    if (this.workSincePause < workAtOnce) return;
    this.workSincePause = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** @returns false when the size is the same as before. */
  private resize(size: ScreenSize): boolean {
    if (size.width === this.framebufferNow.width && size.height === this.framebufferNow.height) return false;
    this.framebufferNow = new Framebuffer(size.width, size.height);
    this.missingPixels = size.width * size.height;
    this.confirmedMsNow = Number.NEGATIVE_INFINITY;
    if (this.probe) this.probe.sentMs = undefined;
    this.write(updateRequest(false, this.framebufferNow.screen));
    return true;
  }

  private write(message: Buffer): void {
    if (this.failureNow) return;
    this.stream.write(message);
    if (this.stream.writableLength > 1_048_576) this.stream.destroy(new Error('the server reads nothing'));
  }

  private notify(): void {
    for (const listener of this.updateListeners) listener();
  }
}

/** Runs `work`; the stream is destroyed, and with it every read, when it takes too long. */
async function within<Value>(stream: Duplex, clock: Clock, work: () => Promise<Value>): Promise<Value> {
  const ended = new AbortController();
  void clock.sleep(messageTimeoutMs, ended.signal).then(() => {
    if (!ended.signal.aborted) stream.destroy(new Error(`no whole message within ${messageTimeoutMs} ms`));
  });
  try {
    return await work();
  } finally {
    ended.abort();
  }
}

function updateRequest(incremental: boolean, area: Rectangle): Buffer {
  const message = Buffer.alloc(10);
  message[0] = 3;
  message[1] = incremental ? 1 : 0;
  message.writeUInt16BE(area.x, 2);
  message.writeUInt16BE(area.y, 4);
  message.writeUInt16BE(area.width, 6);
  message.writeUInt16BE(area.height, 8);
  return message;
}

function keyEvent(keysym: number, down: boolean): Buffer {
  const message = Buffer.alloc(8);
  message[0] = 4;
  message[1] = down ? 1 : 0;
  message.writeUInt32BE(keysym, 4);
  return message;
}

/** 32 bits a pixel, little endian, blue lowest: what QEMU keeps, so that neither side converts. */
function setPixelFormat(): Buffer {
  const message = Buffer.alloc(20);
  message.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
  return message;
}

function setEncodings(): Buffer {
  // The extended form is understood but not asked for: servers then repeat the size in answer to every question.
  const wanted = Object.values(encodings).filter((encoding) => encoding !== encodings.extendedDesktopSize);
  const message = Buffer.alloc(4 + wanted.length * 4);
  message[0] = 2;
  message.writeUInt16BE(wanted.length, 2);
  wanted.forEach((encoding, index) => message.writeInt32BE(encoding, 4 + index * 4));
  return message;
}
