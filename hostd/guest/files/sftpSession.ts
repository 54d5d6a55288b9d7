import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import {
  type Attributes,
  encodePacket,
  type Field,
  modeFields,
  PacketReader,
  packetType,
  sizeFields,
  SftpViolation,
  statusCode,
} from './sftpPacket.ts';

/** The server said no. Version 3 has few words: most of what can go wrong is `failure`. */
export class SftpRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function isRefusal(error: unknown, status?: number): error is SftpRefusal {
  return error instanceof SftpRefusal && (status === undefined || error.status === status);
}

export interface DirectoryItem {
  name: Buffer;
  attributes: Attributes;
}

export interface FileSystemFacts {
  blockBytes: number;
  blocksFree: number;
  inodes: number;
  inodesFree: number;
  id: string;
  readOnly: boolean;
}

interface Answer {
  type: number;
  reader: PacketReader;
}

interface Request {
  type: number;
  fields: readonly Field[];
  /** Type of the answer, when it is no refusal. */
  wants: number;
}

interface Pending {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export interface SessionOptions {
  clock: Clock;
  /** The session ends when requests wait and nothing comes for so long. */
  silenceMaxMs: number;
}

/** What OpenSSH itself never passes. */
const packetMaxBytes = 256 * 1024 + 1024;
const pendingMax = 4096;
const defaultChunkBytes = 32 * 1024;
const chunkMaxBytes = 256 * 1024 - 1024;

/**
 * One SFTP session on one channel. Any number of requests at once; the server answers in the order it likes.
 * A session that broke (closed, silent, or an answer that makes no sense) fails everything and stays broken.
 */
export class SftpSession {
  /** The largest read and write that the server takes. */
  chunkBytes = { read: defaultChunkBytes, write: defaultChunkBytes };
  private readonly channel: Duplex;
  private readonly options: SessionOptions;
  private readonly pending = new Map<number, Pending>();
  private readonly extensions = new Set<string>();
  private lastId = 0;
  private input: { bytes: Buffer; filled: number } | undefined;
  private readonly lengthBytes = Buffer.alloc(4);
  private lengthFilled = 0;
  private broken: Fault | undefined;
  /** When the server last said something, on the monotonic clock. */
  heardAtMs: number;
  private watch: ReturnType<typeof setInterval>;
  private readonly onBroken: (() => void)[] = [];

  private constructor(channel: Duplex, options: SessionOptions) {
    this.channel = channel;
    this.options = options;
    this.heardAtMs = options.clock.monotonicMs();
    this.watch = setInterval(() => this.checkSilence(), Math.min(1000, options.silenceMaxMs / 2));
    this.watch.unref();
    channel.on('data', (chunk: Buffer) => this.feed(chunk));
    for (const event of ['end', 'close', 'error']) channel.on(event, () => this.break('the SFTP channel closed'));
  }

  /** @throws Fault guest_unreachable */
  static async start(channel: Duplex, options: SessionOptions): Promise<SftpSession> {
    const session = new SftpSession(channel, options);
    try {
      const { reader } = await session.exchange(packetType.init, 3, []);
      while (reader.left > 0) {
        const name = reader.string().toString();
        session.extensions.add(`${name} ${reader.string().toString()}`);
      }
      if (session.extensions.has('limits@openssh.com 1')) await session.askLimits();
      return session;
    } catch (error) {
      session.end();
      throw session.broken ?? error;
    }
  }

  get isBroken(): boolean {
    return this.broken !== undefined;
  }

  get isIdle(): boolean {
    return this.pending.size === 0;
  }

  end(): void {
    this.break('the SFTP session was closed');
  }

  /** Called once when the session can no longer be used. */
  whenBroken(callback: () => void): void {
    if (this.broken) callback();
    else this.onBroken.push(callback);
  }

  async open(path: string, flags: number, mode?: number): Promise<Buffer> {
    return this.handle(packetType.open, [path, flags, ...modeFields(mode)]);
  }

  async close(handle: Buffer): Promise<void> {
    await this.done(packetType.close, [handle]);
  }

  /** Fewer bytes than asked for is possible; none is the end of the file. */
  async read(handle: Buffer, offset: number, count: number): Promise<Buffer> {
    return this.unlessEnd(Buffer.alloc(0), () =>
      this.ask({ type: packetType.read, fields: [handle, BigInt(offset), count], wants: packetType.data }, (reader) => {
        const data = reader.string();
        if (data.length > count || data.length === 0) throw new SftpViolation('a wrong number of bytes was read');
        return data;
      }),
    );
  }

  async write(handle: Buffer, offset: number, bytes: Uint8Array): Promise<void> {
    await this.done(packetType.write, [handle, BigInt(offset), bytes]);
  }

  async lstat(path: string): Promise<Attributes> {
    return this.attributes(packetType.lstat, path);
  }

  async stat(path: string): Promise<Attributes> {
    return this.attributes(packetType.stat, path);
  }

  async setHandleMode(handle: Buffer, mode: number): Promise<void> {
    await this.done(packetType.fsetstat, [handle, ...modeFields(mode)]);
  }

  /** Cuts it, or fills it up with zeros. */
  async setHandleSize(handle: Buffer, bytes: number): Promise<void> {
    await this.done(packetType.fsetstat, [handle, ...sizeFields(bytes)]);
  }

  async setMode(path: string, mode: number): Promise<void> {
    await this.done(packetType.setstat, [path, ...modeFields(mode)]);
  }

  async openDirectory(path: string): Promise<Buffer> {
    return this.handle(packetType.opendir, [path]);
  }

  /** Undefined at the end. Names are bytes; those that cannot be names are left out. */
  async readDirectory(handle: Buffer): Promise<DirectoryItem[] | undefined> {
    return this.unlessEnd(undefined, async () => {
      const items = await this.ask({ type: packetType.readdir, fields: [handle], wants: packetType.name }, namesOf);
      return items.filter((item) => isName(item.name));
    });
  }

  async realPath(path: string): Promise<string> {
    return this.oneName(packetType.realpath, path);
  }

  async readLink(path: string): Promise<string> {
    return this.oneName(packetType.readlink, path);
  }

  async remove(path: string): Promise<void> {
    await this.done(packetType.remove, [path]);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.done(packetType.rmdir, [path]);
  }

  async makeDirectory(path: string, mode?: number): Promise<void> {
    await this.done(packetType.mkdir, [path, ...modeFields(mode)]);
  }

  /** Refuses when `to` exists: OpenSSH links and unlinks a file, and looks before it renames anything else. */
  async renameNew(from: string, to: string): Promise<void> {
    await this.done(packetType.rename, [from, to]);
  }

  /** rename(2): replaces what is there. */
  async renameOver(from: string, to: string): Promise<void> {
    await this.done(packetType.extended, [this.extension('posix-rename@openssh.com 1'), from, to]);
  }

  /** link(2): fails when `to` exists. */
  async link(from: string, to: string): Promise<void> {
    await this.done(packetType.extended, [this.extension('hardlink@openssh.com 1'), from, to]);
  }

  async flush(handle: Buffer): Promise<void> {
    await this.done(packetType.extended, [this.extension('fsync@openssh.com 1'), handle]);
  }

  async fileSystem(path: string): Promise<FileSystemFacts> {
    const fields = [this.extension('statvfs@openssh.com 2'), path];
    return this.ask({ type: packetType.extended, fields, wants: packetType.extendedReply }, (reader) => {
      const counts = Array.from({ length: 8 }, () => reader.u64());
      const [, blockBytes = 0, , , blocksFree = 0, inodes = 0, , inodesFree = 0] = counts;
      const id = `${reader.u32()}:${reader.u32()}`;
      return { blockBytes, blocksFree, inodes, inodesFree, id, readOnly: (reader.u64() & 1) !== 0 };
    });
  }

  private async askLimits(): Promise<void> {
    const request = { type: packetType.extended, fields: ['limits@openssh.com'], wants: packetType.extendedReply };
    const bounded = (bytes: number) => Math.max(4096, Math.min(bytes || defaultChunkBytes, chunkMaxBytes));
    this.chunkBytes = await this.ask(request, (reader) => {
      reader.u64();
      return { read: bounded(reader.u64()), write: bounded(reader.u64()) };
    });
  }

  private extension(name: string): string {
    if (!this.extensions.has(name)) throw new SftpRefusal(statusCode.unsupported, `the server lacks ${name}`);
    return name.slice(0, name.indexOf(' '));
  }

  private handle(type: number, fields: readonly Field[]): Promise<Buffer> {
    return this.ask({ type, fields, wants: packetType.handle }, (reader) => {
      const handle = reader.string();
      if (handle.length > 256) throw new SftpViolation('a handle is longer than 256 bytes');
      // The packet it came in is not kept alive for it.
      return Buffer.from(handle);
    });
  }

  private attributes(type: number, path: string): Promise<Attributes> {
    return this.ask({ type, fields: [path], wants: packetType.attributes }, (reader) => reader.attributes());
  }

  private async done(type: number, fields: readonly Field[]): Promise<void> {
    await this.ask({ type, fields, wants: packetType.status }, () => {});
  }

  private oneName(type: number, path: string): Promise<string> {
    return this.ask({ type, fields: [path], wants: packetType.name }, (reader) => {
      const [item] = namesOf(reader);
      if (item === undefined || item.name.length > 4096 || item.name.includes(0))
        throw new SftpViolation('no path in the answer');
      return item.name.toString();
    });
  }

  private async unlessEnd<Value>(atEnd: Value, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (error) {
      if (isRefusal(error, statusCode.endOfFile)) return atEnd;
      throw error;
    }
  }

  /** @throws SftpRefusal, or a Fault when the session is broken, which an answer that makes no sense does. */
  private async ask<Value>(request: Request, parse: (reader: PacketReader) => Value): Promise<Value> {
    this.lastId = (this.lastId + 1) % 0x1_0000_0000;
    const { type, reader } = await this.exchange(request.type, this.lastId, request.fields);
    try {
      if (type === packetType.status) {
        const refusal = refusalOf(reader);
        if (refusal) throw refusal;
      }
      if (type !== request.wants) throw new SftpViolation(`answer ${type} to request ${request.type}`);
      return parse(reader);
    } catch (error) {
      if (!(error instanceof SftpViolation)) throw error;
      this.break(error.message);
      throw this.broken ?? error;
    }
  }

  private exchange(type: number, id: number, fields: readonly Field[]): Promise<Answer> {
    if (this.broken) return Promise.reject(this.broken);
    if (this.pending.size >= pendingMax)
      return Promise.reject(new Fault('guest_unreachable', 'Too many file requests wait for this desktop.'));
    if (this.pending.size === 0) this.heardAtMs = this.options.clock.monotonicMs();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.pending.set(id, { resolve, reject });
    this.channel.write(encodePacket(type, id, fields));
    return promise;
  }

  private feed(chunk: Buffer): void {
    this.heardAtMs = this.options.clock.monotonicMs();
    let at = 0;
    while (at < chunk.length && !this.broken) {
      if (this.input === undefined) {
        this.lengthBytes[this.lengthFilled++] = chunk[at++]!;
        if (this.lengthFilled < 4) continue;
        this.lengthFilled = 0;
        const length = this.lengthBytes.readUInt32BE(0);
        if (length < 5 || length > packetMaxBytes) return this.break(`a packet of ${length} bytes`);
        this.input = { bytes: Buffer.allocUnsafeSlow(length), filled: 0 };
        continue;
      }
      const { bytes, filled } = this.input;
      const count = Math.min(bytes.length - filled, chunk.length - at);
      bytes.set(chunk.subarray(at, at + count), filled);
      this.input.filled += count;
      at += count;
      if (this.input.filled < bytes.length) continue;
      this.input = undefined;
      this.take(bytes);
    }
  }

  private take(packet: Buffer): void {
    const type = packet[0]!;
    // The version takes the place of the id in the first answer, and 3 is both.
    const id = packet.readUInt32BE(1);
    const pending = this.pending.get(id);
    if (pending === undefined) return this.break('an answer to no request');
    this.pending.delete(id);
    pending.resolve({ type, reader: new PacketReader(packet, 5) });
  }

  private checkSilence(): void {
    if (this.pending.size === 0) return;
    if (this.options.clock.monotonicMs() - this.heardAtMs > this.options.silenceMaxMs)
      this.break(`no answer for ${this.options.silenceMaxMs} ms`);
  }

  private break(why: string): void {
    if (this.broken) return;
    this.broken = new Fault('guest_unreachable', 'The file channel to the desktop broke.', {
      cause: new SftpViolation(why),
      retryAfterSeconds: 1,
    });
    clearInterval(this.watch);
    this.channel.destroy();
    for (const pending of this.pending.values()) pending.reject(this.broken);
    this.pending.clear();
    for (const callback of this.onBroken) callback();
  }
}

function refusalOf(reader: PacketReader): SftpRefusal | undefined {
  const status = reader.u32();
  if (status === statusCode.ok) return undefined;
  return new SftpRefusal(status, reader.left > 4 ? reader.string().toString().slice(0, 200) : '');
}

function namesOf(reader: PacketReader): DirectoryItem[] {
  const items: DirectoryItem[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const name = Buffer.from(reader.string());
    reader.string();
    items.push({ name, attributes: reader.attributes() });
  }
  return items;
}

function isName(name: Buffer): boolean {
  if (name.length === 0 || name.length > 255 || name.includes(0) || name.includes(0x2f)) return false;
  return !(name.equals(Buffer.from('.')) || name.equals(Buffer.from('..')));
}
