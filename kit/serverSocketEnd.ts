import { closeCodes, type EndListener, sendableCode, type StreamEnd } from './streamEnd.ts';

/** What Bun keeps with each socket of a server. */
export interface ServerSocketData {
  end: ServerSocketEnd;
}

type ServerSocket = Bun.ServerWebSocket<ServerSocketData>;

/** A text message is a few words of JSON. */
const usualTextMaxBytes = 16_384;
/** One frame is held whole before it is handed on. */
export const frameMaxBytes = 1_048_576;
/** Sent and not taken yet; whoever listens to `send` stays far below. */
const queueMaxBytes = 8_388_608;
/** `drain` of Bun says that some was taken, not that all was: going on at each would fill the queue. */
const queueLowBytes = 131_072;

/** A socket of `Bun.serve` as one end of a stream. `send` of Bun answers -1 when it queued and 0 when it dropped. */
export class ServerSocketEnd implements StreamEnd {
  #socket: ServerSocket | undefined;
  #listener: EndListener | undefined;
  #over: { code: number; reason: string } | undefined;
  #ready: (() => void) | undefined;
  #onEnded: (() => void) | undefined;
  #isEnded = false;
  readonly #textMaxBytes: number;

  constructor(textMaxBytes = usualTextMaxBytes) {
    this.#textMaxBytes = textMaxBytes;
  }

  /** Called once, when the socket is open. */
  onOpen(ready: () => void): void {
    this.#ready = ready;
  }

  /** Called once, when the socket is over, for whatever reason. */
  onEnded(ended: () => void): void {
    this.#onEnded = ended;
  }

  opened(socket: ServerSocket): void {
    this.#socket = socket;
    if (this.#over) return socket.close(this.#over.code, this.#over.reason);
    this.#ready?.();
  }

  took(message: string | Buffer): void {
    if (this.#listener === undefined) return this.close(closeCodes.malformed, 'too early');
    if (typeof message !== 'string') return this.#listener.bytes(message);
    if (message.length > this.#textMaxBytes) return this.close(closeCodes.malformed, 'text too long');
    this.#listener.text(message);
  }

  drained(): void {
    if (this.#socket !== undefined && this.#socket.getBufferedAmount() <= queueLowBytes) this.#listener?.drained();
  }

  ended(code: number, reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#over ??= { code, reason };
    this.#socket = undefined;
    this.#listener?.closed(code, reason);
    this.#onEnded?.();
  }

  listen(listener: EndListener): void {
    this.#listener = listener;
  }

  send(piece: Uint8Array): boolean {
    return this.#taken(this.#socket?.sendBinary(piece as Uint8Array<ArrayBuffer>) ?? 0, piece.length);
  }

  sendText(text: string): boolean {
    return this.#taken(this.#socket?.sendText(text) ?? 0, text.length);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = { code: sendableCode(code), reason };
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.resume();
    socket.close(this.#over.code, reason);
    // One that takes nothing would keep its end for itself.
    if (socket.getBufferedAmount() > 0) socket.terminate();
  }

  #taken(sent: number, length: number): boolean {
    if (sent > 0 || (sent === 0 && length === 0)) return true;
    if (sent === 0) this.#lost();
    return false;
  }

  /** It was dropped: a stream that lacks bytes is worth nothing, and its end is not waited for. */
  #lost(): void {
    this.#over ??= { code: closeCodes.stalled, reason: 'stalled' };
    this.#socket?.terminate();
    this.ended(closeCodes.stalled, 'stalled');
  }
}

/** The handlers for `Bun.serve`. Pings find an other side that went away without a word. */
export const serverSocketHandlers: Bun.WebSocketHandler<ServerSocketData> = {
  open: (socket) => socket.data.end.opened(socket),
  message: (socket, message) => socket.data.end.took(message),
  drain: (socket) => socket.data.end.drained(),
  close: (socket, code, reason) => socket.data.end.ended(code, reason),
  maxPayloadLength: frameMaxBytes,
  backpressureLimit: queueMaxBytes,
  closeOnBackpressureLimit: true,
  idleTimeout: 60,
  sendPings: true,
  perMessageDeflate: false,
};
