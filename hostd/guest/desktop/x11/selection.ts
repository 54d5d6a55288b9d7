import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { X11Connection, X11Event } from './connection.ts';
import { words } from './words.ts';

const events = { propertyNotify: 28, selectionClear: 29, selectionRequest: 30, selectionNotify: 31 } as const;
const textMaxBytes = 1_048_576;
const answerTimeoutMs = 3_000;
const clientsMax = 500;
/** Below the size of the largest request of every server. */
const chunkBytes = 65_536;

/** The clipboard, as text. What we put there is served by this connection for as long as it is open. */
export class X11Clipboard {
  private readonly x11: X11Connection;
  private readonly clock: Clock;
  private readonly window: number;
  private readonly atoms: Record<AtomName, number>;
  private owned: Buffer | undefined;
  /** Which programs fetched what we put there, by the client bits of their windows, and how often. */
  private readonly served = new Map<number, number>();
  private reading: Promise<unknown> = Promise.resolve();

  static async open(x11: X11Connection, clock: Clock): Promise<X11Clipboard> {
    const values = await Promise.all(atomNames.map(async (name) => [name, await x11.atom(name)] as const));
    return new X11Clipboard({ x11, clock, atoms: Object.fromEntries(values) as Record<AtomName, number> });
  }

  private constructor(parts: { x11: X11Connection; clock: Clock; atoms: Record<AtomName, number> }) {
    this.x11 = parts.x11;
    this.clock = parts.clock;
    this.atoms = parts.atoms;
    this.window = this.x11.newResource();
    const propertyChange = 0x0040_0000;
    const eventMask = 0x0800;
    // An invisible window of one pixel, outside the screen, that tells of changes of its properties.
    const place = Buffer.alloc(12);
    place.writeInt16LE(-10, 0);
    place.writeInt16LE(-10, 2);
    place.writeUInt16LE(1, 4);
    place.writeUInt16LE(1, 6);
    place.writeUInt16LE(2, 10);
    const body = Buffer.concat([words(this.window, this.x11.setup.root), place, words(0, eventMask, propertyChange)]);
    this.x11.send(1, 0, body);
    this.x11.onEvent((event) => this.serve(event));
  }

  /** How often what we put there was fetched: by anybody, or by the program that owns this window. */
  servedCount(window?: number): number {
    if (window !== undefined) return this.served.get(this.clientOf(window)) ?? 0;
    return [...this.served.values()].reduce((sum, count) => sum + count, 0);
  }

  async set(text: string): Promise<void> {
    this.owned = Buffer.from(text, 'utf8');
    this.x11.send(22, 0, words(this.window, this.atoms.CLIPBOARD, 0));
    const owner = await this.owner();
    if (owner !== this.window) throw new Fault('guest_unreachable', 'Another program keeps the clipboard.');
  }

  /** Gives the clipboard up, which then is empty. */
  async clear(): Promise<void> {
    if (!this.owned) return;
    this.owned = undefined;
    this.x11.send(22, 0, words(0, this.atoms.CLIPBOARD, 0));
    await this.x11.sync();
  }

  /** Empty when nobody owns the clipboard, or it holds no text. @throws Fault `timeout`, `payload_too_large`. */
  get(): Promise<string> {
    const result = this.reading.then(() => this.read());
    this.reading = result.catch(() => {});
    return result;
  }

  private async read(): Promise<string> {
    if (this.owned) return this.owned.toString('utf8');
    if ((await this.owner()) === 0) return '';
    for (const target of [this.atoms.UTF8_STRING, this.atoms.STRING]) {
      const bytes = await this.convert(target);
      if (bytes) return bytes.toString(target === this.atoms.UTF8_STRING ? 'utf8' : 'latin1');
    }
    return '';
  }

  private async owner(): Promise<number> {
    return (await this.x11.call(23, 0, words(this.atoms.CLIPBOARD))).readUInt32LE(8);
  }

  private async convert(target: number): Promise<Buffer | undefined> {
    const property = this.atoms.LEBUREAU_CLIPBOARD;
    const notified = this.next((event) => event.type === events.selectionNotify);
    this.x11.send(24, 0, words(this.window, this.atoms.CLIPBOARD, target, property, 0));
    const event = await notified;
    if (event.bytes.readUInt32LE(20) === 0) return undefined;
    // Deleting the first part asks for the next, so the listener is there before.
    const more = this.nextPart(property);
    const first = await this.takeProperty(property);
    if (first.type !== this.atoms.INCR) {
      more.cancel();
      return first.data;
    }
    return this.takeParts(property, more);
  }

  private async takeParts(property: number, first: Waiting): Promise<Buffer> {
    const parts: Buffer[] = [];
    let totalBytes = 0;
    for (let more = first; ;) {
      await more.promise;
      more = this.nextPart(property);
      const { data } = await this.takeProperty(property);
      totalBytes += data.length;
      if (data.length === 0 || totalBytes > textMaxBytes) {
        more.cancel();
        if (totalBytes > textMaxBytes) throw tooLarge();
        return Buffer.concat(parts);
      }
      parts.push(data);
    }
  }

  private async takeProperty(property: number): Promise<{ type: number; data: Buffer }> {
    const deleteIt = 1;
    const reply = await this.x11.call(20, deleteIt, words(this.window, property, 0, 0, textMaxBytes / 4));
    const leftBytes = reply.readUInt32LE(12);
    if (leftBytes > 0) throw tooLarge();
    const bytes = reply.readUInt32LE(16) * ((reply[1] ?? 0) / 8);
    return { type: reply.readUInt32LE(8), data: reply.subarray(32, 32 + bytes) };
  }

  private nextPart(property: number): Waiting {
    const isNew = 0;
    return this.wait(
      ({ type, bytes }) => type === events.propertyNotify && bytes.readUInt32LE(8) === property && bytes[16] === isNew,
    );
  }

  private next(matches: (event: X11Event) => boolean): Promise<X11Event> {
    return this.wait(matches).promise;
  }

  private wait(matches: (event: X11Event) => boolean): Waiting {
    const { promise, resolve, reject } = Promise.withResolvers<X11Event>();
    const over = new AbortController();
    const stop = this.x11.onEvent((event) => {
      if (matches(event)) resolve(event);
    });
    void this.clock.sleep(answerTimeoutMs, over.signal).then(() => {
      reject(new Fault('timeout', 'The program that owns the clipboard does not answer.'));
    });
    const cancel = () => {
      stop();
      over.abort();
    };
    promise.then(cancel, cancel);
    return { promise, cancel };
  }

  private serve({ type, bytes }: X11Event): void {
    if (type === events.selectionClear) this.owned = undefined;
    if (type !== events.selectionRequest) return;
    const [requestor, selection, target] = [bytes.readUInt32LE(12), bytes.readUInt32LE(16), bytes.readUInt32LE(20)];
    const property = bytes.readUInt32LE(24) || target;
    const put = this.owned !== undefined && this.put({ requestor, target, property }, this.owned);
    const notify = Buffer.alloc(32);
    notify[0] = events.selectionNotify;
    words(bytes.readUInt32LE(4), requestor, selection, target, put ? property : 0).copy(notify, 4);
    this.x11.send(25, 0, Buffer.concat([words(requestor, 0), notify]));
  }

  private put(to: { requestor: number; target: number; property: number }, text: Buffer): boolean {
    const { TARGETS, UTF8_STRING, STRING, TEXT, ATOM } = this.atoms;
    const textPlain = this.atoms['text/plain;charset=utf-8'];
    if (to.target === TARGETS) {
      this.change({ ...to, type: ATOM, format: 32 }, words(TARGETS, UTF8_STRING, textPlain, STRING, TEXT));
      return true;
    }
    if (![UTF8_STRING, STRING, TEXT, textPlain].includes(to.target)) return false;
    const isLatin1 = to.target === STRING;
    const data = isLatin1 ? Buffer.from(text.toString('utf8'), 'latin1') : text;
    this.change({ ...to, type: to.target === TEXT ? UTF8_STRING : to.target, format: 8 }, data);
    this.countServed(this.clientOf(to.requestor));
    return true;
  }

  private clientOf(window: number): number {
    return (window & ~this.x11.setup.resourceMask) >>> 0;
  }

  private countServed(client: number): void {
    if (this.served.size >= clientsMax && !this.served.has(client)) this.served.clear();
    this.served.set(client, (this.served.get(client) ?? 0) + 1);
  }

  /** Appends in portions, because one request has a limit and a property has none. */
  private change(to: { requestor: number; property: number; type: number; format: number }, data: Buffer): void {
    const [replace, append] = [0, 2];
    for (let at = 0; at === 0 || at < data.length; at += chunkBytes) {
      const part = data.subarray(at, at + chunkBytes);
      const units = (part.length * 8) / to.format;
      this.x11.send(
        18,
        at === 0 ? replace : append,
        Buffer.concat([words(to.requestor, to.property, to.type, to.format, units), part]),
      );
    }
  }
}

interface Waiting {
  promise: Promise<X11Event>;
  cancel: () => void;
}

const atomNames = [
  'CLIPBOARD',
  'TARGETS',
  'UTF8_STRING',
  'STRING',
  'TEXT',
  'ATOM',
  'INCR',
  'LEBUREAU_CLIPBOARD',
  'text/plain;charset=utf-8',
] as const;
type AtomName = (typeof atomNames)[number];

function tooLarge(): Fault {
  return new Fault('payload_too_large', `The clipboard holds more than ${textMaxBytes} bytes.`);
}
