import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { ByteReader } from '../../display/byteReader.ts';

/** What the server told when the connection was opened. */
export interface X11Setup {
  resourceBase: number;
  /** The bits of an id that its own client chooses; the others tell the client. */
  resourceMask: number;
  keycodeMin: number;
  keycodeMax: number;
  root: number;
}

export interface X11Event {
  /** Without the bit that says that a client sent it. */
  type: number;
  bytes: Buffer;
}

interface Pending {
  sequence: number;
  resolve: (reply: Buffer) => void;
  reject: (error: Error) => void;
}

const setupTimeoutMs = 10_000;
/** A guest without hardware virtualisation on a busy node can take seconds. */
const replyTimeoutMs = 20_000;
const replyMaxBytes = 4_194_304;
const pendingMax = 4096;
const unsentMaxBytes = 8_388_608;
const genericEvent = 35;

/**
 * A connection to an X server, by the core protocol in little endian (X Window System Protocol, X11R6.8, appendix B).
 * Requests are pipelined. The server is as hostile as the guest it runs in: every answer is bounded in size and time.
 */
export class X11Connection {
  readonly setup: X11Setup;
  private readonly stream: Duplex;
  private readonly reader: ByteReader;
  private readonly clock: Clock;
  private readonly atoms = new Map<string, Promise<number>>();
  private readonly eventListeners = new Set<(event: X11Event) => void>();
  private pending: Pending[] = [];
  private unsent: Buffer[] = [];
  private sequence = 0;
  private nextResource = 1;
  private failureNow: Error | undefined;

  /** @throws Fault `guest_unreachable`, with the server's reason. */
  static async connect(stream: Duplex, clock: Clock): Promise<X11Connection> {
    const reader = new ByteReader(stream);
    const settled = new AbortController();
    void clock.sleep(setupTimeoutMs, settled.signal).then(() => {
      if (!settled.signal.aborted) stream.destroy(new Error('the X server did not answer in time'));
    });
    try {
      stream.write(setupRequest());
      return new X11Connection({ stream, reader, setup: await readSetup(reader) }, clock);
    } catch (error) {
      stream.destroy();
      throw new Fault('guest_unreachable', 'The X server of the desktop does not answer.', { cause: error });
    } finally {
      settled.abort();
    }
  }

  private constructor(
    { stream, reader, setup }: { stream: Duplex; reader: ByteReader; setup: X11Setup },
    clock: Clock,
  ) {
    this.stream = stream;
    this.reader = reader;
    this.setup = setup;
    this.clock = clock;
    void this.readMessages();
  }

  get failure(): Error | undefined {
    return this.failureNow;
  }

  /** Sends a request that has no reply. `parts` follow the opcode, its data byte and the length, which are filled in. */
  send(opcode: number, data: number, body: Buffer): void {
    if (this.failureNow) throw this.unreachable();
    const padded = body.length + (-body.length & 3);
    const request = Buffer.alloc(4 + padded);
    request[0] = opcode;
    request[1] = data;
    request.writeUInt16LE(request.length / 4, 2);
    body.copy(request, 4);
    this.sequence = (this.sequence + 1) & 0xffff;
    if (this.unsent.length === 0) setImmediate(() => this.flush());
    this.unsent.push(request);
  }

  /** Sends a request and waits for its reply: the 32 bytes and what follows them. @throws Fault `guest_unreachable`; Error from the server. */
  async call(opcode: number, data: number, body: Buffer): Promise<Buffer> {
    if (this.pending.length >= pendingMax) throw new Fault('guest_unreachable', 'The X server answers too slowly.');
    this.send(opcode, data, body);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.pending.push({ sequence: this.sequence, resolve, reject });
    const answered = new AbortController();
    void this.clock.sleep(replyTimeoutMs, answered.signal).then(() => {
      if (!answered.signal.aborted) this.fail(new Error('the X server did not reply in time'));
    });
    return promise.finally(() => answered.abort());
  }

  /** Resolves when the server has carried out everything sent before. */
  async sync(): Promise<void> {
    await this.call(43, 0, Buffer.alloc(0));
  }

  atom(name: string): Promise<number> {
    const known = this.atoms.get(name);
    if (known) return known;
    const body = Buffer.alloc(4 + name.length);
    body.writeUInt16LE(name.length, 0);
    body.write(name, 4, 'latin1');
    const atom = this.call(16, 0, body).then((reply) => reply.readUInt32LE(8));
    this.atoms.set(name, atom);
    return atom;
  }

  newResource(): number {
    return (this.setup.resourceBase + this.nextResource++) >>> 0;
  }

  /** @returns the way to stop listening. */
  onEvent(listener: (event: X11Event) => void): () => void {
    this.eventListeners.add(listener);
    return () => this.eventListeners.delete(listener);
  }

  close(): void {
    this.fail(new Error('closed by us'));
  }

  /** In one piece: a key whose release comes late on a busy machine would repeat. */
  private flush(): void {
    const requests = Buffer.concat(this.unsent);
    this.unsent = [];
    if (this.failureNow) return;
    this.stream.write(requests);
    if (this.stream.writableLength > unsentMaxBytes) this.fail(new Error('the X server reads nothing'));
  }

  private async readMessages(): Promise<void> {
    try {
      while (!this.failureNow) await this.readMessage();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private async readMessage(): Promise<void> {
    const head = Buffer.from(await this.reader.read(32));
    const type = head[0]! & 0x7f;
    if (type > 1 && type !== genericEvent) {
      for (const listener of this.eventListeners) listener({ type, bytes: head });
      return;
    }
    const moreBytes = type === 0 ? 0 : head.readUInt32LE(4) * 4;
    if (moreBytes > replyMaxBytes) throw new Error(`a reply of ${moreBytes} bytes is refused`);
    const whole = moreBytes > 0 ? Buffer.concat([head, await this.reader.read(moreBytes)]) : head;
    if (type === genericEvent) return;
    this.answer(type, whole);
  }

  /** Replies come in the order of their requests; an error may also belong to a request that has no reply. */
  private answer(type: number, message: Buffer): void {
    const first = this.pending[0];
    if (first?.sequence !== message.readUInt16LE(2)) {
      if (type === 1) throw new Error('a reply that nobody asked for');
      return;
    }
    this.pending.shift();
    if (type === 1) first.resolve(message);
    else first.reject(new Error(`X error ${message[1]} to request ${message[10]}`));
  }

  private fail(error: Error): void {
    this.failureNow ??= error;
    this.stream.destroy();
    const waiting = this.pending;
    this.pending = [];
    for (const { reject } of waiting) reject(this.unreachable());
  }

  private unreachable(): Fault {
    return new Fault('guest_unreachable', 'The X server of the desktop does not answer.', { cause: this.failureNow });
  }
}

/** Without a cookie: the server lets in whoever runs as its own user, and the connection is made by that user. */
function setupRequest(): Buffer {
  const request = Buffer.alloc(12);
  request.write('l', 0, 'latin1');
  request.writeUInt16LE(11, 2);
  return request;
}

async function readSetup(reader: ByteReader): Promise<X11Setup> {
  const head = await reader.read(8);
  const [status, reasonBytes] = [head[0]!, head[1]!];
  const body = await reader.read(head.readUInt16LE(6) * 4);
  if (status !== 1) throw new Error(`refused: ${body.subarray(0, reasonBytes || 200).toString('latin1')}`);
  const vendorBytes = body.readUInt16LE(16);
  const screenAt = 32 + vendorBytes + (-vendorBytes & 3) + body[21]! * 8;
  return {
    resourceBase: body.readUInt32LE(4),
    resourceMask: body.readUInt32LE(8),
    keycodeMin: body[26]!,
    keycodeMax: body[27]!,
    root: body.readUInt32LE(screenAt),
  };
}
