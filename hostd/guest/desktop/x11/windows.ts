import type { components } from '@lebureau/openapi/node';
import type { X11Connection } from './connection.ts';
import { words } from './words.ts';

export type Window = components['schemas']['Window'];

const windowsMax = 500;
const textMaxBytes = 4096;
const iconicState = 3;

/** The windows that the window manager manages (EWMH), from the bottom to the top of the stack. */
export class X11Windows {
  private readonly x11: X11Connection;

  constructor(x11: X11Connection) {
    this.x11 = x11;
  }

  async list(): Promise<Window[]> {
    const active = await this.activeId();
    const stacking = await this.numbers(this.x11.setup.root, '_NET_CLIENT_LIST_STACKING');
    const ids = stacking.length > 0 ? stacking : await this.numbers(this.x11.setup.root, '_NET_CLIENT_LIST');
    const windows = await Promise.all(ids.slice(0, windowsMax).map((id) => this.look(id, active)));
    return windows.filter((window) => window !== undefined);
  }

  async active(): Promise<Window | undefined> {
    const id = await this.activeId();
    return id === 0 ? undefined : this.look(id, id);
  }

  /** Asks the window manager to raise it and give it the keyboard. */
  async activate(windowId: string): Promise<void> {
    const id = Number.parseInt(windowId.slice(2), 16);
    const message = Buffer.alloc(32);
    message[0] = 33;
    message[1] = 32;
    const fromPager = 2;
    words(id, await this.x11.atom('_NET_ACTIVE_WINDOW'), fromPager, 0, 0).copy(message, 4);
    const substructure = 0x0018_0000;
    this.x11.send(25, 0, Buffer.concat([words(this.x11.setup.root, substructure), message]));
    await this.x11.sync();
  }

  private async activeId(): Promise<number> {
    return (await this.numbers(this.x11.setup.root, '_NET_ACTIVE_WINDOW'))[0] ?? 0;
  }

  /** Undefined when it is gone by now. */
  private async look(id: number, active: number): Promise<Window | undefined> {
    try {
      const [geometry, origin, title, oldTitle, className, pids, states] = await Promise.all([
        this.x11.call(14, 0, words(id)),
        this.x11.call(40, 0, words(id, this.x11.setup.root, 0)),
        this.text(id, '_NET_WM_NAME', 'utf8'),
        this.text(id, 'WM_NAME', 'latin1'),
        this.text(id, 'WM_CLASS', 'latin1'),
        this.numbers(id, '_NET_WM_PID'),
        this.numbers(id, 'WM_STATE'),
      ]);
      const [instance, group] = className.split('\0');
      return {
        windowId: `0x${id.toString(16)}`,
        title: title || oldTitle,
        className: group || instance || '',
        pid: pids[0] ?? null,
        x: origin.readInt16LE(12),
        y: origin.readInt16LE(14),
        width: geometry.readUInt16LE(16),
        height: geometry.readUInt16LE(18),
        active: id === active,
        minimized: states[0] === iconicState,
      };
    } catch (error) {
      if (this.x11.failure) throw error;
      return undefined;
    }
  }

  private async numbers(window: number, property: string): Promise<number[]> {
    const reply = await this.property(window, property);
    if (reply[1] !== 32) return [];
    const count = Math.min(reply.readUInt32LE(16), Math.floor((reply.length - 32) / 4));
    return Array.from({ length: count }, (_, index) => reply.readUInt32LE(32 + index * 4));
  }

  private async text(window: number, property: string, encoding: 'utf8' | 'latin1'): Promise<string> {
    const reply = await this.property(window, property);
    if (reply[1] !== 8) return '';
    return reply.subarray(32, 32 + Math.min(reply.readUInt32LE(16), textMaxBytes)).toString(encoding);
  }

  private async property(window: number, name: string): Promise<Buffer> {
    return this.x11.call(20, 0, words(window, await this.x11.atom(name), 0, 0, textMaxBytes / 4));
  }
}
