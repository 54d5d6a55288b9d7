import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connectPve, type PveEndpoint } from './connect.ts';
import { FrameParser, maskedFrame, opcodes } from './webSocketFrames.ts';

const handshakeMaxMs = 8_000;
const headMaxBytes = 16_384;

/**
 * A binary WebSocket (RFC 6455) as a stream, over a connection whose certificate was checked before the token is sent.
 * @throws Error when the other side does not switch protocols.
 */
export async function connectWebSocket(endpoint: PveEndpoint, ask: { path: string; token: string }): Promise<Duplex> {
  const socket = await connectPve(endpoint);
  const lines = [
    `GET ${ask.path} HTTP/1.1`,
    `Host: ${new URL(endpoint.url).host}`,
    `Authorization: PVEAPIToken=${ask.token}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: binary',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const rest = await switched(socket);
  return new WebSocketStream(socket, rest);
}

/** Resolves with what came behind the head of the answer. */
function switched(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const fail = (why: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(why));
    };
    const timer = setTimeout(() => fail('the display did not answer in time'), handshakeMaxMs);
    const closed = () => fail('the display closed the connection');
    const read = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0 && head.length > headMaxBytes) fail('the display does not speak WebSocket');
      if (end < 0) return;
      socket.off('data', read);
      socket.off('close', closed);
      const first = head.toString('latin1', 0, head.indexOf('\r\n'));
      if (!first.startsWith('HTTP/1.1 101')) return fail(`the display was refused: ${first}`);
      clearTimeout(timer);
      socket.pause();
      resolve(head.subarray(end + 4));
    };
    socket.on('data', read);
    socket.once('close', closed);
  });
}

/** Reading is paused while nobody reads, so a slow reader holds nothing but the kernel's buffers. */
class WebSocketStream extends Duplex {
  readonly #socket: Socket;
  readonly #parser = new FrameParser();

  constructor(socket: Socket, first: Buffer) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('close', () => this.#end());
    if (first.length > 0) this.#take(first);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) return done(new Error('the connection closed'));
    this.#socket.write(maskedFrame(opcodes.binary, chunk), done);
  }

  override _final(done: () => void): void {
    if (!this.#socket.destroyed) this.#socket.end(maskedFrame(opcodes.close, Buffer.alloc(0)));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    try {
      for (const frame of this.#parser.read(chunk)) {
        if (frame.opcode === opcodes.close) return this.#end();
        if (frame.opcode === opcodes.ping) this.#socket.write(maskedFrame(opcodes.pong, frame.payload));
        else if (frame.opcode <= opcodes.binary && !this.push(frame.payload)) this.#socket.pause();
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #end(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null);
  }
}
