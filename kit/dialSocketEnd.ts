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
}

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
export async function dialSocketEnd(wish: DialWish): Promise<StreamEnd> {
  const socket = connect(wish.to);
  const lines = [
    `GET ${wish.path} HTTP/1.1`,
    'Host: node',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    ...Object.entries(wish.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return new DialedEnd(socket, await switched(socket, wish.limitMs));
}

/** Resolves with what came behind the head. */
function switched(socket: Socket, limitMs: number): Promise<Buffer> {
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
        return resolve(bytes.subarray(end + 4));
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

class DialedEnd implements StreamEnd {
  readonly #socket: Socket;
  readonly #first: Buffer;
  #reader: FrameReader | undefined;
  #over = false;

  constructor(socket: Socket, first: Buffer) {
    this.#socket = socket;
    this.#first = first;
    socket.on('error', () => socket.destroy());
  }

  listen(listener: EndListener): void {
    const end = (code: number, reason: string) => {
      if (this.#over) return;
      this.#over = true;
      this.#socket.end();
      listener.closed(code, reason);
    };
    this.#reader = new FrameReader({
      bytes: (piece) => this.#over || listener.bytes(piece),
      text: (text) => this.#over || listener.text(text),
      closed: end,
      ping: (payload) => this.#frame(opcodes.pong, payload),
    });
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
