/** What a connection tells; each is called at once and in order. */
export interface PlainSocketListener {
  data(bytes: Buffer): void;
  /** Everything that was written is with the kernel, after a `write` that was answered with false. */
  drained(): void;
  /** Nothing follows; called once. */
  closed(): void;
}

/** Where a server listens: the path of a Unix socket, or host and port. */
export type PlainAddress = { path: string } | { host: string; port: number };

/** A connection as the ends of live streams need one. */
export interface PlainSocket {
  readonly isClosed: boolean;
  /** Replaces the listener that it had. Who pauses in the same turn hears nothing in between. */
  listen(listener: PlainSocketListener): void;
  /** @param head is sent in front of `bytes`, in one piece with them @returns false when some of it waits here: `drained` follows */
  write(head: Uint8Array, bytes?: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Nothing more is written; what was arrives, and it closes when the other side has ended too. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** @throws Error when nobody listens there, or none answered within the limit */
export async function connectPlain(to: PlainAddress, limitMs: number): Promise<PlainSocket> {
  const socket = new BunSocket();
  const shared = { data: socket, socket: handlers, allowHalfOpen: true };
  const connecting =
    'path' in to
      ? Bun.connect<BunSocket>({ unix: to.path, ...shared })
      : Bun.connect<BunSocket>({ hostname: to.host, port: to.port, ...shared });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no connection within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([connecting, late]);
    return socket;
  } catch (error) {
    connecting.then(
      () => socket.destroy(),
      () => {},
    );
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Head and bytes up to this size are copied together, which costs less than a second call of the kernel. */
const togetherMaxBytes = 65_536 + 16;
const together = Buffer.alloc(togetherMaxBytes);
const nothing: PlainSocketListener = { data: () => {}, drained: () => {}, closed: () => {} };

/**
 * A connection of Bun's own. One of `node:net` costs three times its memory, of which most is the machinery of streams
 * that nothing here uses.
 */
class BunSocket implements PlainSocket {
  #socket: Bun.Socket<BunSocket> | undefined;
  #listener: PlainSocketListener = nothing;
  /** Written and not taken by the kernel yet. */
  #waiting: Uint8Array[] = [];
  #isEnding = false;
  #isPeerEnded = false;
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  listen(listener: PlainSocketListener): void {
    this.#listener = listener;
  }

  write(head: Uint8Array, bytes?: Uint8Array): boolean {
    if (this.#isClosed || this.#isEnding) return true;
    if (bytes === undefined) return this.#give(head, true);
    const length = head.length + bytes.length;
    if (length > togetherMaxBytes) {
      this.#give(head, true);
      return this.#give(bytes, true);
    }
    together.set(head);
    together.set(bytes, head.length);
    return this.#give(together.subarray(0, length), false);
  }

  pause(): void {
    if (!this.#isClosed) this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isClosed) this.#socket?.resume();
  }

  /** `end` of Bun closes at once: were anything of the other side unread, the kernel would reset what it has not read. */
  end(): void {
    this.#isEnding = true;
    if (this.#waiting.length === 0 && !this.#isClosed) this.#socket?.shutdown();
  }

  destroy(): void {
    this.#waiting = [];
    if (!this.#isClosed) this.#socket?.terminate();
  }

  /** @param mayKeep whether nobody else changes these bytes later */
  #give(bytes: Uint8Array, mayKeep: boolean): boolean {
    const taken = this.#waiting.length > 0 ? 0 : Math.max(0, this.#socket!.write(bytes));
    if (taken === bytes.length) return true;
    const rest = bytes.subarray(taken);
    this.#waiting.push(mayKeep ? rest : Buffer.from(rest));
    return false;
  }

  opened(socket: Bun.Socket<BunSocket>): void {
    this.#socket = socket;
  }

  data(bytes: Buffer): void {
    this.#listener.data(bytes);
  }

  drained(): void {
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0]!;
      const taken = Math.max(0, this.#socket!.write(next));
      if (taken < next.length) return void (this.#waiting[0] = next.subarray(taken));
      this.#waiting.shift();
      if (this.#waiting.length > 0) continue;
      if (this.#isPeerEnded) return void this.#socket!.end();
      if (this.#isEnding) return this.#socket!.shutdown();
      this.#listener.drained();
    }
  }

  /** It writes no more, and may still read. */
  peerEnded(): void {
    this.#isPeerEnded = true;
    if (this.#waiting.length === 0) this.#socket?.end();
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#listener.closed();
  }
}

const handlers: Bun.SocketHandler<BunSocket> = {
  open: (socket) => socket.data.opened(socket),
  data: (socket, bytes) => socket.data.data(bytes),
  drain: (socket) => socket.data.drained(),
  close: (socket) => socket.data.closed(),
  end: (socket) => socket.data.peerEnded(),
  error: (socket) => socket.data.destroy(),
};
