import type { Hash } from 'node:crypto';
import { noteContent } from './garbage.ts';
import type { SftpSession } from './sftpSession.ts';

/** Bytes sent and not yet acknowledged by the guest; sshd's own window is as large. */
const windowBytes = 2 * 1024 * 1024;

/** Sends content to an open file, many chunks under way at once. */
export class ContentWriter {
  readonly #session: SftpSession;
  readonly #handle: Buffer;
  readonly #underWay = new Set<Promise<void>>();
  #offset: number;
  #failedAt: number | undefined;
  #failure: unknown;

  constructor(file: { session: SftpSession; handle: Buffer }, offset = 0) {
    this.#session = file.session;
    this.#handle = file.handle;
    this.#offset = offset;
  }

  /** The end of what the guest has without a gap; exact once it is settled. */
  get goodBytes(): number {
    return Math.min(this.#offset, this.#failedAt ?? this.#offset);
  }

  get hasFailed(): boolean {
    return this.#failedAt !== undefined;
  }

  /** Up to the end of the body. `hash` gets what is sent. @throws what the body or a write failed with */
  async send(body: AsyncIterable<Uint8Array>, options: { signal?: AbortSignal; hash?: Hash } = {}): Promise<void> {
    const size = this.#session.chunkBytes.write;
    for await (const chunk of chunked(untilAbort(body, options.signal), size)) {
      options.hash?.update(chunk);
      this.#write(chunk);
      if (this.#underWay.size * size >= windowBytes) await Promise.race(this.#underWay);
      if (this.#failedAt !== undefined) throw this.#failure;
    }
    await this.settled();
    if (this.#failedAt !== undefined) throw this.#failure;
  }

  /** Nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #write(bytes: Uint8Array): void {
    const offset = this.#offset;
    const written = this.#session.write(this.#handle, offset, bytes).catch((error: unknown) => {
      if (this.#failedAt !== undefined && this.#failedAt < offset) return;
      this.#failedAt = offset;
      this.#failure = error;
    });
    this.#offset += bytes.length;
    noteContent(bytes.length);
    this.#underWay.add(written);
    void written.then(() => this.#underWay.delete(written));
  }
}

/** The body, ended with the signal's reason even while the body has nothing to give. */
async function* untilAbort(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextPiece(pieces, signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // A body that hangs would keep this waiting for ever.
    pieces.return?.().catch(() => {});
  }
}

/** A promise and a listener of its own for each piece: a race against one that lives as long as the upload would keep every piece until its end. */
function nextPiece(
  pieces: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Uint8Array>>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  pieces
    .next()
    .then(resolve, reject)
    .finally(() => signal?.removeEventListener('abort', abort));
  return promise;
}

/**
 * Cuts and joins to chunks of `size` bytes. What it yields is good until the next is asked for only when the consumer
 * copies it, which the encoding of a packet does.
 */
async function* chunked(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const held = Buffer.allocUnsafeSlow(size);
  let count = 0;
  let failure: { error: unknown } | undefined;
  try {
    for await (const piece of body) {
      let at = 0;
      while (at < piece.length) {
        if (count === 0 && piece.length - at >= size) {
          yield piece.subarray(at, at + size);
          at += size;
          continue;
        }
        const take = Math.min(size - count, piece.length - at);
        held.set(piece.subarray(at, at + take), count);
        count += take;
        at += take;
        if (count < size) continue;
        yield held;
        count = 0;
      }
    }
  } catch (error) {
    failure = { error };
  }
  // What came before a body broke counts: an upload goes on behind it.
  if (count > 0) yield held.subarray(0, count);
  if (failure) throw failure.error;
}
