import { randomBytes } from 'node:crypto';
import { type NetConnectOpts, type Socket, connect } from 'node:net';
import { DialedEnd, type Switched } from './dialedEnd.ts';
import type { StreamEnd } from './streamEnd.ts';

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
