import type { Duplex } from 'node:stream';

/** The stream is paused above this many unread bytes. */
const queueMaxBytes = 1_048_576;

/** Reads exact amounts from a stream, holding at most about a mebibyte besides what is asked for. */
export class ByteReader {
  private readonly stream: Duplex;
  private chunks: Buffer[] = [];
  private queuedBytes = 0;
  private wanted: { count: number; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined;
  private failure: Error | undefined;
  private readonly onData = (chunk: Buffer) => this.take(chunk);

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', this.onData);
    stream.on('error', (error: Error) => this.fail(error));
    stream.on('end', () => this.fail(new Error('the stream ended')));
    stream.on('close', () => this.fail(new Error('the stream was closed')));
    // One that is over already says so no more.
    if (stream.destroyed || stream.readableEnded) this.fail(new Error('the stream was closed'));
  }

  /** Resolves with exactly `count` bytes. One call at a time. Rejects when the stream ends before. */
  read(count: number): Promise<Buffer> {
    if (this.wanted) throw new Error('another read is waiting');
    if (count <= this.queuedBytes) return Promise.resolve(this.cut(count));
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.wanted = { count, resolve, reject };
      this.stream.resume();
    });
  }

  /** Gives the stream back, paused. @returns what was received and not read */
  release(): Buffer {
    this.stream.off('data', this.onData);
    this.stream.pause();
    this.failure ??= new Error('the stream was given back');
    const rest = Buffer.concat(this.chunks);
    this.chunks = [];
    return rest;
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.queuedBytes += chunk.length;
    const { wanted } = this;
    if (wanted && this.queuedBytes >= wanted.count) {
      this.wanted = undefined;
      wanted.resolve(this.cut(wanted.count));
    } else if (!wanted && this.queuedBytes > queueMaxBytes) {
      this.stream.pause();
    }
  }

  private cut(count: number): Buffer {
    const first = this.chunks[0];
    this.queuedBytes -= count;
    if (this.queuedBytes <= queueMaxBytes) this.stream.resume();
    if (first && first.length >= count) {
      if (first.length === count) this.chunks.shift();
      else this.chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const whole = Buffer.concat(this.chunks);
    this.chunks = whole.length > count ? [whole.subarray(count)] : [];
    return whole.subarray(0, count);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    const { wanted } = this;
    this.wanted = undefined;
    wanted?.reject(this.failure);
  }
}
