import { randomBytes } from 'node:crypto';
import { DialedEnd, type Switched } from './dialedEnd.ts';
import { connectPlain, type PlainAddress, type PlainSocket } from './plainSocket.ts';
import type { WholeMessages } from './gathered.ts';
import type { StreamEnd } from './streamEnd.ts';

/**
 * With `messageMaxBytes` messages are handed on whole, binary ones too, up to this size: where what they say is somebody
 * else's. Without it binary ones come in pieces, and texts are small.
 */
export interface DialWish extends WholeMessages {
  to: PlainAddress;
  path: string;
  headers: Readonly<Record<string, string>>;
  limitMs: number;
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
  const beganMs = performance.now();
  const socket = await connectPlain(wish.to, wish.limitMs);
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
  socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`));
  const answer = await switched(socket, wish.limitMs - (performance.now() - beganMs));
  return new DialedEnd(socket, answer, wish);
}

/** The answer, and nothing read behind it. */
function switched(socket: PlainSocket, limitMs: number): Promise<Switched> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${Math.round(limitMs)} ms`)), limitMs);
    const data = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return bytes.length > headMaxBytes ? fail(new Error('that is no HTTP')) : undefined;
      if (bytes.toString('latin1', 0, 13) === 'HTTP/1.1 101 ') {
        clearTimeout(timer);
        socket.pause();
        return resolve({ head: bytes.toString('latin1', 0, end), first: bytes.subarray(end + 4) });
      }
      const refusal = refusalOf(bytes);
      if (refusal?.whole === true || bytes.length > bodyMaxBytes) fail(refusal ?? new Error('that is no HTTP'));
    };
    const closed = () => fail(refusalOf(bytes) ?? new Error('the connection was closed'));
    socket.listen({ data, drained: () => {}, closed });
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
