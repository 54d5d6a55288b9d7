import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import type { PveDouble } from '../double.ts';
import { vncResponse } from './vncLogin.ts';

export interface Proxy {
  port: string;
  ticket: string;
  password: string;
}

/** Logs in over `vncwebsocket` as a viewer does. @returns what the server says of its screen. */
export async function loginRfb(
  double: PveDouble,
  vm: string,
  proxy: Proxy,
): Promise<{ width: number; height: number; name: string }> {
  const query = new URLSearchParams({ port: proxy.port, vncticket: proxy.ticket });
  const socket = connect({ host: 'localhost', port: double.port, ca: double.ca, servername: 'localhost' });
  const bytes = new Incoming(socket);
  try {
    socket.write(
      [
        `GET /api2/json${vm}/vncwebsocket?${query.toString()} HTTP/1.1`,
        `Host: localhost:${double.port}`,
        `Authorization: PVEAPIToken=${double.token}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: binary',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        '\r\n',
      ].join('\r\n'),
    );
    const head = await bytes.head();
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(head.split('\r\n')[0]);
    const send = (part: Buffer) => socket.write(masked(part));
    if ((await bytes.take(12)).toString() !== 'RFB 003.008\n') throw new Error('no RFB 3.8');
    send(Buffer.from('RFB 003.008\n'));
    const [count = 0] = await bytes.take(1);
    if (!(await bytes.take(count)).includes(2)) throw new Error('no VNC authentication');
    send(Buffer.from([2]));
    send(vncResponse(await bytes.take(16), proxy.password));
    if ((await bytes.take(4)).readUInt32BE() !== 0) throw new Error('the password was refused');
    send(Buffer.from([1]));
    const init = await bytes.take(24);
    const name = (await bytes.take(init.readUInt32BE(20))).toString();
    return { width: init.readUInt16BE(0), height: init.readUInt16BE(2), name };
  } finally {
    socket.destroy();
  }
}

function masked(part: Buffer): Buffer {
  const mask = randomBytes(4);
  return Buffer.concat([
    Buffer.from([0x82, 0x80 | part.length]),
    mask,
    part.map((byte, at) => byte ^ (mask[at & 3] ?? 0)),
  ]);
}

/** Bytes of a WebSocket's small unmasked frames, one after the other. */
class Incoming {
  private raw = Buffer.alloc(0);
  private inside = Buffer.alloc(0);
  private upgraded = false;
  private closed = false;
  private wake: () => void = () => {};

  constructor(socket: NodeJS.ReadableStream) {
    socket.on('data', (piece: Buffer) => {
      this.raw = Buffer.concat([this.raw, piece]);
      if (this.upgraded) this.unwrap();
      this.wake();
    });
    const end = () => {
      this.closed = true;
      this.wake();
    };
    socket.on('close', end);
    socket.on('error', end);
  }

  async head(): Promise<string> {
    for (let end = this.raw.indexOf('\r\n\r\n'); ; end = this.raw.indexOf('\r\n\r\n')) {
      if (end >= 0) {
        const text = this.raw.subarray(0, end).toString();
        this.raw = this.raw.subarray(end + 4);
        this.upgraded = true;
        this.unwrap();
        return text;
      }
      await this.more();
    }
  }

  async take(count: number): Promise<Buffer> {
    while (this.inside.length < count) await this.more();
    const taken = this.inside.subarray(0, count);
    this.inside = this.inside.subarray(count);
    return taken;
  }

  private more(): Promise<void> {
    if (this.closed) throw new Error('the connection was closed');
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private unwrap(): void {
    while (this.raw.length >= 2) {
      const short = (this.raw[1] ?? 0) & 0x7f;
      const start = short < 126 ? 2 : 4;
      if (this.raw.length < start) return;
      const size = short < 126 ? short : this.raw.readUInt16BE(2);
      if (this.raw.length < start + size) return;
      this.inside = Buffer.concat([this.inside, this.raw.subarray(start, start + size)]);
      this.raw = this.raw.subarray(start + size);
    }
  }
}
