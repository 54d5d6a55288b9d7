import { randomBytes } from 'node:crypto';
import { type NetConnectOpts, type Socket, connect } from 'node:net';
import { FrameReader, maskedHead, opcodes } from './frameReader.ts';
import { closeCodes, type EndListener, sendableCode, type StreamEnd } from './streamEnd.ts';

export interface DialWish {
  /** Where the server listens: the path of a Unix socket, or host and port. */
  to: NetConnectOpts;
  path: string;
  headers: Readonly<Record<string, string>>;
  limitMs: number;
  /**
   * Messages are handed on whole, binary ones too, up to this size: where what they say is somebody else's. Without it
   * binary ones come in pieces, and texts are small.
   */
  messageMaxBytes?: number;
}

/** The other end, and the subprotocol that it chose. */
export type DialedSocket = StreamEnd & { readonly protocol: string | undefined };

/** The server answered, and did not switch protocols. */
export class NotSwitched extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The server answered ${status}.`);
    this.name = 'NotSwitched';
    this.status = status;
    this.body = body;
  }
}

const headMaxBytes = 16_384;
const bodyMaxBytes = 65_536;
const closeLimitMs = 1_000;

/**
 * A WebSocket to a server, as one end of a stream. The runtime's own client tells nobody when it takes
 * more again, so this one speaks the protocol itself.
 * @throws NotSwitched with the answer; Error when none came in time
 */
export async function dialSocketEnd(wish: DialWish): Promise<DialedSocket> {
  const socket = connect(wish.to);
  const { host = 'node', ...headers } = wish.headers;
  const lines = [
    `GET ${wish.path} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return new DialedEnd(socket, await switched(socket, wish.limitMs), wish.messageMaxBytes);
}

/** The head, and what came behind it. */
interface Switched {
  head: string;
  first: Buffer;
}

function switched(socket: Socket, limitMs: number): Promise<Switched> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (error?: Error) => {
      clearTimeout(timer);
      socket.off('data', read).off('close', closed).off('error', failed);
      if (error === undefined) return void socket.pause();
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => settle(new Error(`no answer within ${limitMs} ms`)), limitMs);
    const failed = (error: Error) => settle(error);
    const closed = () => settle(refusalOf(bytes) ?? new Error('the connection was closed'));
    const read = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        if (bytes.length > headMaxBytes) settle(new Error('that is no HTTP'));
        return;
      }
      if (bytes.toString('latin1', 0, 13) === 'HTTP/1.1 101 ') {
        settle();
        return resolve({ head: bytes.toString('latin1', 0, end), first: bytes.subarray(end + 4) });
      }
      const refusal = refusalOf(bytes);
      if (refusal?.whole === true || bytes.length > bodyMaxBytes) settle(refusal ?? new Error('that is no HTTP'));
    };
    socket.on('data', read).once('close', closed).once('error', failed);
  });
}

function refusalOf(bytes: Buffer): (NotSwitched & { whole?: boolean }) | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  const head = end < 0 ? '' : bytes.toString('latin1', 0, end);
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? [];
  if (status === undefined) return undefined;
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  const body = bytes.subarray(end + 4);
  const whole = length !== undefined && body.length >= Number(length);
  return Object.assign(new NotSwitched(Number(status), body.toString('utf8')), { whole });
}

class DialedEnd implements DialedSocket {
  readonly protocol: string | undefined;
  readonly #socket: Socket;
  readonly #first: Buffer;
  readonly #messageMaxBytes: number | undefined;
  #reader: FrameReader | undefined;
  #over = false;

  constructor(socket: Socket, { head, first }: Switched, messageMaxBytes: number | undefined) {
    this.protocol = /\r\nsec-websocket-protocol: *([!-~]+)/i.exec(head)?.[1];
    this.#socket = socket;
    this.#first = first;
    this.#messageMaxBytes = messageMaxBytes;
    socket.on('error', () => socket.destroy());
  }

  listen(listener: EndListener): void {
    const end = (code: number, reason: string) => {
      if (this.#over) return;
      this.#over = true;
      this.#socket.end();
      listener.closed(code, reason);
    };
    const max = this.#messageMaxBytes;
    const bytes = (piece: Uint8Array) => this.#over || listener.bytes(piece);
    const handlers = {
      text: (text: string) => this.#over || listener.text(text),
      closed: end,
      ping: (payload: Buffer) => this.#frame(opcodes.pong, payload),
    };
    this.#reader = new FrameReader(
      max === undefined ? { ...handlers, bytes } : { ...handlers, ...wholeMessages(bytes, max) },
      max,
    );
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk, end));
    this.#socket.on('drain', () => listener.drained());
    this.#socket.on('close', () => end(closeCodes.unreachable, 'the connection broke'));
    if (this.#first.length > 0) this.#read(this.#first, end);
    if (this.#socket.destroyed) end(closeCodes.unreachable, 'the connection broke');
    else this.#socket.resume();
  }

  send(piece: Uint8Array): boolean {
    return this.#frame(opcodes.binary, piece);
  }

  sendText(text: string): void {
    this.#frame(opcodes.text, Buffer.from(text));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    const word = sendableCode(code);
    const payload = Buffer.concat([Buffer.from([word >> 8, word & 255]), Buffer.from(reason).subarray(0, 100)]);
    this.#frame(opcodes.close, payload);
    this.#over = true;
    const socket = this.#socket;
    socket.resume();
    socket.end();
    const timer = setTimeout(() => socket.destroy(), closeLimitMs);
    socket.once('close', () => clearTimeout(timer));
  }

  #frame(opcode: number, payload: Uint8Array): boolean {
    if (this.#over || this.#socket.destroyed) return true;
    this.#socket.cork();
    this.#socket.write(maskedHead(opcode, payload.length));
    const taken = this.#socket.write(payload);
    this.#socket.uncork();
    return taken;
  }

  #read(chunk: Buffer, end: (code: number, reason: string) => void): void {
    try {
      this.#reader!.read(chunk);
    } catch {
      end(closeCodes.failed, 'the node sent no WebSocket');
    }
  }
}

/** Gathers the pieces of each binary message. */
function wholeMessages(whole: (message: Uint8Array) => void, maxBytes: number) {
  let pieces: Buffer[] = [];
  let length = 0;
  return {
    bytes(piece: Buffer) {
      length += piece.length;
      if (length > maxBytes) throw new Error(`a message of more than ${maxBytes} bytes is refused`);
      pieces.push(Buffer.from(piece));
    },
    messageEnded() {
      const message = Buffer.concat(pieces);
      [pieces, length] = [[], 0];
      whole(message);
    },
  };
}
