import { LeBureauError } from './faults.ts';

/** Who has control, as the screen's stream tells at once and at each change. */
export interface ControlMessage {
  type: 'control';
  holder: { kind: 'human' | 'agent'; name: string; by: string | null; takenAt: string } | null;
  expiresAt: string | null;
  /** Whether what this stream sends is written. */
  isYours: boolean;
}

/** Above this `send` waits until the socket has taken some. */
const unsentMaxBytes = 1_048_576;
const unreadMaxBytes = 16 * 1_048_576;
const pieceBytes = 65_536;
const lookAgainMs = 10;

/** A stream that is open: bytes both ways, read by `for await`. */
export class LiveStream {
  readonly terminalName: string | undefined;
  /** Resolves when it is open. @throws LeBureauError when it is refused */
  readonly opened: Promise<void>;
  /** Resolves when it is over; never rejects. Codes: docs/streams.md. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #wake: () => void = () => {};
  #over = false;
  #control: ControlMessage | undefined;
  #onControl: (message: ControlMessage) => void = () => {};

  constructor(socket: WebSocket, terminalName?: string) {
    this.#socket = socket;
    this.terminalName = terminalName;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => this.#take(data as ArrayBuffer | string));
    this.opened = new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true });
      socket.addEventListener('close', ({ code }) => reject(new LeBureauError(`The stream was refused (${code})`)));
    });
    this.opened.catch(() => {});
    socket.addEventListener('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        this.#over = true;
        this.#wake();
        resolve({ code, reason });
      });
    });
  }

  /** What was said last of who has control; of the screen only. */
  get control(): ControlMessage | undefined {
    return this.#control;
  }

  /** Called now, if something was said, and at each change. */
  onControl(listener: (message: ControlMessage) => void): void {
    this.#onControl = listener;
    if (this.#control) listener(this.#control);
  }

  /** Resolves when the socket wants more. @throws LeBureauError when it is closed */
  async send(bytes: Uint8Array | string): Promise<void> {
    const all = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
    for (let at = 0; at < all.length; at += pieceBytes) {
      while (!this.#over && this.#socket.bufferedAmount > unsentMaxBytes)
        await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
      if (this.#over) throw new LeBureauError('The stream is closed');
      this.#socket.send(all.slice(at, at + pieceBytes));
    }
  }

  /** Of a terminal. */
  resize(columns: number, rows: number): void {
    this.#socket.send(JSON.stringify({ type: 'resize', columns, rows }));
  }

  /** Writes on the screen by this lease from now on. */
  useControl(leaseToken: string): void {
    this.#socket.send(JSON.stringify({ type: 'control', leaseToken }));
  }

  close(): void {
    this.#socket.close(1000);
  }

  /** Pieces as they come. A socket cannot be slowed down everywhere: at 16 MiB unread it is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const piece = this.#unread.shift();
      if (piece) {
        this.#unreadBytes -= piece.length;
        yield piece;
      } else if (this.#over) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return this.closed.then(() => {});
  }

  #take(data: ArrayBuffer | string): void {
    if (typeof data === 'string') return this.#takeText(data);
    this.#unread.push(new Uint8Array(data));
    this.#unreadBytes += data.byteLength;
    if (this.#unreadBytes > unreadMaxBytes) this.#socket.close(4408, 'unread');
    this.#wake();
  }

  #takeText(text: string): void {
    const message = JSON.parse(text) as { type?: string };
    if (message.type !== 'control') return;
    this.#control = message as ControlMessage;
    this.#onControl(this.#control);
  }
}
