import type { LiveStream } from '@lebureau/sdk/liveStream';

/** A small RFB client on a live stream, as a person's viewer is one: it looks, and it sends keys and pointer. */
export class RfbViewer {
  readonly stream: LiveStream;
  width = 0;
  height = 0;
  name = '';
  /** Whole updates that came. */
  updates = 0;
  bytes = 0;
  #unread = Buffer.alloc(0);
  #over = false;
  #wake: () => void = () => {};

  private constructor(stream: LiveStream) {
    this.stream = stream;
  }

  static async open(stream: LiveStream): Promise<RfbViewer> {
    const viewer = new RfbViewer(stream);
    void viewer.#read();
    await viewer.#shakeHands();
    void viewer.#follow().catch(() => {});
    return viewer;
  }

  /** Asks for the whole screen and waits for one update more. */
  async look(whole = true): Promise<void> {
    const before = this.updates;
    await this.stream.send(
      Buffer.from([
        3,
        whole ? 0 : 1,
        0,
        0,
        0,
        0,
        this.width >> 8,
        this.width & 255,
        this.height >> 8,
        this.height & 255,
      ]),
    );
    for (let tries = 0; this.updates === before && tries < 500; tries++) await Bun.sleep(20);
    if (this.updates === before) throw new Error('no update came');
  }

  pointer(x: number, y: number, buttons = 0): Promise<void> {
    return this.stream.send(pointerMessage(x, y, buttons));
  }

  async key(keysym: number): Promise<void> {
    for (const down of [1, 0]) await this.stream.send(Buffer.from([4, down, 0, 0, 0, 0, keysym >> 8, keysym & 255]));
  }

  async #shakeHands(): Promise<void> {
    if ((await this.#take(12)).toString() !== 'RFB 003.008\n') throw new Error('no RFB 3.8');
    await this.stream.send('RFB 003.008\n');
    const [count = 0] = await this.#take(1);
    if (!(await this.#take(count)).includes(1)) throw new Error('a password is wanted');
    await this.stream.send(Buffer.from([1]));
    if ((await this.#take(4)).readUInt32BE() !== 0) throw new Error('the login failed');
    // Wants to be alone, which must not matter to others.
    await this.stream.send(Buffer.from([0]));
    const init = await this.#take(24);
    this.width = init.readUInt16BE(0);
    this.height = init.readUInt16BE(2);
    this.name = (await this.#take(init.readUInt32BE(20))).toString();
    // 32 bits a pixel, raw.
    await this.stream.send(Buffer.from([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]));
    await this.stream.send(Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]));
  }

  async #follow(): Promise<void> {
    for (;;) {
      const [type] = await this.#take(1);
      if (type === 2) continue;
      if (type === 3) await this.#take((await this.#take(7)).readUInt32BE(3));
      else if (type === 0) await this.#update();
      else throw new Error(`message ${type} is unknown`);
    }
  }

  async #update(): Promise<void> {
    const count = (await this.#take(3)).readUInt16BE(1);
    for (let at = 0; at < count; at++) {
      const head = await this.#take(12);
      await this.#take(head.readUInt16BE(4) * head.readUInt16BE(6) * 4);
    }
    this.updates += 1;
  }

  async #read(): Promise<void> {
    for await (const piece of this.stream) {
      this.bytes += piece.length;
      this.#unread = Buffer.concat([this.#unread, piece]);
      this.#wake();
    }
    this.#over = true;
    this.#wake();
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#unread.length < count) {
      if (this.#over) throw new Error('the stream is over');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const taken = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return taken;
  }
}

export function pointerMessage(x: number, y: number, buttons = 0): Buffer {
  return Buffer.from([5, buttons, x >> 8, x & 255, y >> 8, y & 255]);
}
