import { Duplex } from 'node:stream';
import { createCipheriv } from 'node:crypto';

/** For tests: two ends of one connection, without a socket. */
export function connectedPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const end = (other: () => Duplex) =>
    new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  ends.push(
    end(() => ends[1]!),
    end(() => ends[0]!),
  );
  return [ends[0]!, ends[1]!];
}

export interface Drawn {
  x: number;
  y: number;
  width: number;
  height: number;
  /** 0x00RRGGBB. */
  colour: number;
}

/** For tests: bytes that RFB servers send. */
export const rfb = {
  version: Buffer.from('RFB 003.008\n'),
  noSecurity: Buffer.from([1, 1, 0, 0, 0, 0]),
  init: (width: number, height: number, name = 'test') => {
    const message = Buffer.alloc(24);
    message.writeUInt16BE(width, 0);
    message.writeUInt16BE(height, 2);
    message.writeUInt32BE(name.length, 20);
    return Buffer.concat([message, Buffer.from(name)]);
  },
  update: (...rectangles: Buffer[]) => Buffer.concat([Buffer.from([0, 0, 0, rectangles.length]), ...rectangles]),
  rectangle: (
    area: { x: number; y: number; width: number; height: number },
    encoding: number,
    data: Buffer = Buffer.alloc(0),
  ) => {
    const header = Buffer.alloc(12);
    [area.x, area.y, area.width, area.height].forEach((value, index) => header.writeUInt16BE(value, index * 2));
    header.writeInt32BE(encoding, 8);
    return Buffer.concat([header, data]);
  },
  raw: (drawn: Drawn) => rfb.rectangle(drawn, 0, pixelsOf(drawn)),
};

export function pixelsOf({ width, height, colour }: Omit<Drawn, 'x' | 'y'>): Buffer {
  const data = Buffer.alloc(width * height * 4);
  for (let at = 0; at < data.length; at += 4) data.writeUInt32LE(colour, at);
  return data;
}

/** VNC authentication as a server does it: the key bits reversed, by another way than the client's. */
export function vncResponse(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key);
  const reversed = key.map((byte) =>
    Number.parseInt(byte.toString(2).padStart(8, '0').split('').toReversed().join(''), 2),
  );
  const cipher = createCipheriv('des-ecb', reversed, null).setAutoPadding(false);
  return cipher.update(challenge);
}

/** For tests: a screen that answers as QEMU does, one update for all that is dirty; draws when told. */
export class ScriptedServer {
  readonly stream: Duplex;
  private readonly end: Duplex;
  private size: { width: number; height: number };
  private canvas: Buffer;
  private asked: 'nothing' | 'changes' | 'all' = 'nothing';
  private dirty = false;
  private received: Buffer = Buffer.alloc(0);
  readonly keys: { keysym: number; down: boolean }[] = [];
  readonly pointers: { buttons: number; x: number; y: number }[] = [];
  /** While true it answers nothing. */
  silent = false;
  /** May draw what this very answer shows. */
  beforeAnswer: (() => void) | undefined;

  constructor(width: number, height: number) {
    this.size = { width, height };
    this.canvas = pixelsOf({ width, height, colour: 0x202020 });
    [this.stream, this.end] = connectedPair();
    this.end.on('data', (chunk: Buffer) => this.take(chunk));
    this.end.write(Buffer.concat([rfb.version, Buffer.from([1, 1])]));
    this.step = 'version';
  }
  private step: 'version' | 'security' | 'init' | 'messages';

  draw(drawn: Drawn): void {
    const row = pixelsOf({ ...drawn, height: 1 });
    for (let y = drawn.y; y < drawn.y + drawn.height; y++) row.copy(this.canvas, (y * this.size.width + drawn.x) * 4);
    this.dirty = true;
    setImmediate(() => this.answer());
  }

  resize(width: number, height: number): void {
    this.size = { width, height };
    this.canvas = pixelsOf({ width, height, colour: 0x404040 });
    this.end.write(rfb.update(rfb.rectangle({ x: 0, y: 0, width, height }, -223)));
  }

  drop(): void {
    this.end.end();
    this.end.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    while (this.takeOne());
  }

  private takeOne(): boolean {
    const need = this.needed();
    if (this.received.length < need || need === 0) return false;
    const message = this.received.subarray(0, need);
    this.received = this.received.subarray(need);
    this.handle(message);
    return true;
  }

  private needed(): number {
    if (this.step === 'version') return 12;
    if (this.step === 'security' || this.step === 'init') return 1;
    const type = this.received[0];
    if (type === 2) return this.received.length < 4 ? 4 : 4 + this.received.readUInt16BE(2) * 4;
    return { 0: 20, 3: 10, 4: 8, 5: 6 }[type ?? -1] ?? 0;
  }

  private handle(message: Buffer): void {
    if (this.step === 'version') this.step = 'security';
    else if (this.step === 'security') {
      this.end.write(Buffer.alloc(4));
      this.step = 'init';
    } else if (this.step === 'init') {
      this.end.write(rfb.init(this.size.width, this.size.height));
      this.step = 'messages';
    } else if (message[0] === 4) this.keys.push({ keysym: message.readUInt32BE(4), down: message[1] === 1 });
    else if (message[0] === 5)
      this.pointers.push({ buttons: message[1]!, x: message.readUInt16BE(2), y: message.readUInt16BE(4) });
    else if (message[0] === 3) {
      this.asked = message[1] === 0 ? 'all' : this.asked === 'all' ? 'all' : 'changes';
      setImmediate(() => this.answer());
    }
  }

  private answer(): void {
    if (this.silent || this.asked === 'nothing' || (this.asked === 'changes' && !this.dirty)) return;
    this.beforeAnswer?.();
    this.asked = 'nothing';
    this.dirty = false;
    this.end.write(rfb.update(rfb.rectangle({ x: 0, y: 0, ...this.size }, 0, Buffer.from(this.canvas))));
  }
}
