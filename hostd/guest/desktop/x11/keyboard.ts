import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { keysymOfCharacter } from '../../input/keys.ts';
import type { X11Connection } from './connection.ts';
import { words } from './words.ts';
import type { XTest } from './xtest.ts';

interface Stroke {
  keycode: number;
  shift: boolean;
}

/** What the keys do now: the layout may change at any time, so it is read anew before each use. */
interface Layout {
  keycodeMin: number;
  keysymsPerKeycode: number;
  keysyms: Uint32Array;
  modifierKeycodes: ReadonlySet<number>;
  shiftKeycode: number;
  group: number;
  capsLock: boolean;
}

const changeKeyboardMapping = 100;
const shiftKeysym = 0xffe1;
const shiftKeycodeUsual = 50;
/** So many strokes are sent before the server is asked whether it keeps up. */
const strokesAtOnce = 100;
/** Programs read a changed layout when they come to the event that tells it; so long a spare key keeps its meaning. */
const spareRestMs = 1_500;

/**
 * Presses keys by what they mean under the layout of the guest, whichever it is. A character that no key of the layout
 * makes is put on a spare key first. Spare keys keep their meaning, because a busy program may look it up late.
 */
export class X11Keyboard {
  private readonly x11: X11Connection;
  private readonly xtest: XTest;
  private readonly clock: Clock;
  /** Keysym → spare keycode and when it was used last. */
  private readonly spares = new Map<number, { keycode: number; usedMs: number }>();
  /** Keysym → its key, and all that were pressed for it. */
  private readonly held = new Map<number, { keycode: number; keycodes: readonly number[] }>();

  constructor(x11: X11Connection, xtest: XTest, clock: Clock) {
    this.x11 = x11;
    this.xtest = xtest;
    this.clock = clock;
  }

  async press(keysym: number): Promise<void> {
    if (this.held.has(keysym)) return;
    const layout = await this.readLayout();
    const [stroke] = await this.strokesFor([keysym], layout);
    this.down(keysym, stroke!, layout);
  }

  async release(keysym: number): Promise<void> {
    this.up(keysym);
  }

  /**
   * Presses all in order and lets go of them in reverse order, in one go and without repeats: a machine that is too busy
   * to see the second half at once would take a single ctrl+d for several.
   */
  async chord(keysyms: readonly number[]): Promise<void> {
    const layout = await this.readLayout();
    const strokes = await this.strokesFor(keysyms, layout);
    const pressed: number[] = [];
    this.repeat(false);
    for (const [at, keysym] of keysyms.entries()) {
      if (this.held.has(keysym)) continue;
      this.down(keysym, strokes[at]!, layout);
      pressed.push(keysym);
    }
    for (const keysym of pressed.reverse()) this.up(keysym);
    this.repeat(true);
  }

  private down(keysym: number, stroke: Stroke, layout: Layout): void {
    // A server takes no key that is down already: what holds it for another character lets go of it.
    for (const [other, { keycode }] of this.held) if (keycode === stroke.keycode) this.up(other);
    const shiftHeld = [...this.held.values()].some(({ keycode }) => keycode === layout.shiftKeycode);
    const keycodes = stroke.shift && !shiftHeld ? [layout.shiftKeycode, stroke.keycode] : [stroke.keycode];
    for (const keycode of keycodes) this.xtest.key(keycode, true);
    this.held.set(keysym, { keycode: stroke.keycode, keycodes });
  }

  private up(keysym: number): void {
    for (const keycode of this.held.get(keysym)?.keycodes.toReversed() ?? []) this.xtest.key(keycode, false);
    this.held.delete(keysym);
  }

  /** Whether there are enough spare keys to type `text` in one go. */
  async canType(text: string): Promise<boolean> {
    const layout = await this.readLayout();
    const wanted = new Set(
      Array.from(text)
        .map(keysymOfCharacter)
        .filter((keysym) => !find(keysym, layout)),
    );
    return wanted.size <= this.spareKeycodes(layout).length;
  }

  async type(text: string, { delayMs, signal }: { delayMs: number; signal?: AbortSignal }): Promise<void> {
    // A key must not repeat because the machine is too busy to let go of it in time.
    this.repeat(false);
    try {
      await this.typeKeysyms(Array.from(text).map(keysymOfCharacter), { delayMs, signal });
    } finally {
      if (!this.x11.failure) this.repeat(true);
    }
  }

  private async typeKeysyms(all: number[], { delayMs, signal }: { delayMs: number; signal?: AbortSignal }) {
    let keysyms = all;
    while (keysyms.length > 0) {
      signal?.throwIfAborted();
      const layout = await this.readLayout();
      const portion = this.portionOf(keysyms.slice(0, strokesAtOnce), layout);
      const strokes = await this.strokesFor(portion, layout);
      for (const stroke of strokes) {
        this.strike(stroke, layout);
        if (delayMs > 0) await this.clock.sleep(delayMs, signal);
        if (delayMs > 0) signal?.throwIfAborted();
      }
      await this.x11.sync();
      keysyms = keysyms.slice(portion.length);
    }
  }

  /**
   * ChangeKeyboardControl: whether keys repeat while they are held. They do afterwards, whatever was before: a connection
   * that broke in between has left them off, and nothing tells that from what somebody wants.
   */
  private repeat(on: boolean): void {
    const autoRepeatMode = 0x80;
    this.x11.send(102, 0, words(autoRepeatMode, on ? 1 : 0));
  }

  private strike({ keycode, shift }: Stroke, layout: Layout): void {
    if (shift) this.xtest.key(layout.shiftKeycode, true);
    this.xtest.key(keycode, true);
    this.xtest.key(keycode, false);
    if (shift) this.xtest.key(layout.shiftKeycode, false);
  }

  /** As many of `keysyms` as the spare keys suffice for. */
  private portionOf(keysyms: readonly number[], layout: Layout): number[] {
    const room = this.spareKeycodes(layout).length;
    if (room === 0) return [...keysyms];
    const needed = new Set<number>();
    const end = keysyms.findIndex((keysym) => {
      if (!find(keysym, layout)) needed.add(keysym);
      return needed.size > room;
    });
    return end === -1 ? [...keysyms] : keysyms.slice(0, end);
  }

  private async strokesFor(keysyms: readonly number[], layout: Layout): Promise<Stroke[]> {
    const wanted = new Set(keysyms.filter((keysym) => this.spares.has(keysym) || !find(keysym, layout)));
    if (wanted.size > 0) await this.assignSpares(wanted, layout);
    return keysyms.map((keysym) => {
      const spare = this.spares.get(keysym);
      return spare ? { keycode: spare.keycode, shift: false } : find(keysym, layout)!;
    });
  }

  private async assignSpares(wanted: ReadonlySet<number>, layout: Layout): Promise<void> {
    const taken = new Set([...this.spares.values()].map(({ keycode }) => keycode));
    const free = this.spareKeycodes(layout).filter((keycode) => !taken.has(keycode));
    let changed = false;
    for (const keysym of wanted) {
      const present = this.spares.get(keysym);
      const keycode = present?.keycode ?? free.pop() ?? (await this.takeBackSpare(wanted));
      if (!present) this.x11.send(changeKeyboardMapping, 1, mappingOf(keycode, keysym));
      changed ||= !present;
      this.spares.set(keysym, { keycode, usedMs: this.clock.monotonicMs() });
    }
    if (changed) await this.x11.sync();
  }

  /** The spare key that was used longest ago, once programs had time to read it. */
  private async takeBackSpare(wanted: ReadonlySet<number>): Promise<number> {
    const oldest = [...this.spares.entries()]
      .filter(([keysym]) => !wanted.has(keysym))
      .sort(([, a], [, b]) => a.usedMs - b.usedMs)[0];
    if (!oldest)
      throw new Fault('guest_unreachable', 'The keyboard of the desktop has no spare key for these characters.');
    const [keysym, { keycode, usedMs }] = oldest;
    const restMs = usedMs + spareRestMs - this.clock.monotonicMs();
    if (restMs > 0) await this.clock.sleep(restMs);
    this.spares.delete(keysym);
    return keycode;
  }

  /** Keys without any meaning, and those that have theirs from us. */
  private spareKeycodes(layout: Layout): number[] {
    const ours = new Set([...this.spares.values()].map(({ keycode }) => keycode));
    const { keycodeMin, keycodeMax } = this.x11.setup;
    return Array.from({ length: keycodeMax - keycodeMin + 1 }, (_, index) => keycodeMin + index).filter((keycode) => {
      if (layout.modifierKeycodes.has(keycode)) return false;
      const from = (keycode - keycodeMin) * layout.keysymsPerKeycode;
      const isFree = layout.keysyms.subarray(from, from + layout.keysymsPerKeycode).every((keysym) => keysym === 0);
      return isFree || ours.has(keycode);
    });
  }

  private async readLayout(): Promise<Layout> {
    const { keycodeMin, keycodeMax, root } = this.x11.setup;
    const rootBody = Buffer.alloc(4);
    rootBody.writeUInt32LE(root, 0);
    const [mapping, modifiers, pointer] = await Promise.all([
      this.x11.call(101, 0, Buffer.from([keycodeMin, keycodeMax - keycodeMin + 1, 0, 0])),
      this.x11.call(119, 0, Buffer.alloc(0)),
      this.x11.call(38, 0, rootBody),
    ]);
    const keysymsPerKeycode = mapping[1]!;
    const count = Math.min((keycodeMax - keycodeMin + 1) * keysymsPerKeycode, (mapping.length - 32) / 4);
    const keysyms = Uint32Array.from({ length: count }, (_, index) => mapping.readUInt32LE(32 + index * 4));
    const state = pointer.readUInt16LE(24);
    const layout: Layout = {
      keycodeMin,
      keysymsPerKeycode,
      keysyms,
      modifierKeycodes: new Set(modifiers.subarray(32).filter((keycode) => keycode !== 0)),
      group: (state >> 13) & 3,
      capsLock: (state & 2) !== 0,
      shiftKeycode: 0,
    };
    const shiftAt = keysyms.indexOf(shiftKeysym);
    layout.shiftKeycode = shiftAt === -1 ? shiftKeycodeUsual : keycodeMin + Math.floor(shiftAt / keysymsPerKeycode);
    this.forgetLostSpares(layout);
    return layout;
  }

  /** A new layout takes all keys, our spare ones too. */
  private forgetLostSpares(layout: Layout): void {
    for (const [keysym, { keycode }] of this.spares) {
      const meaning = layout.keysyms[(keycode - layout.keycodeMin) * layout.keysymsPerKeycode];
      if (meaning !== keysym) this.spares.delete(keysym);
    }
  }
}

/** The key that makes `keysym` alone or with Shift, in the group of the layout that is on. */
function find(keysym: number, layout: Layout): Stroke | undefined {
  const { keycodeMin, keysyms, keysymsPerKeycode: width } = layout;
  const first = Math.min(layout.group, 1) * 2;
  for (const level of [0, 1]) {
    for (let at = first + level; at < keysyms.length; at += width) {
      if (keysyms[at] !== keysym) continue;
      const character = characterOf(keysym);
      const swapped = layout.capsLock && character.toLowerCase() !== character.toUpperCase();
      return { keycode: keycodeMin + Math.floor(at / width), shift: (level === 1) !== swapped };
    }
  }
  return undefined;
}

function characterOf(keysym: number): string {
  if (keysym >= 0x0100_0000) return '';
  return keysym <= 0xff ? String.fromCharCode(keysym) : '';
}

/** ChangeKeyboardMapping of one key, the same with and without Shift, so that Caps Lock does not alter it. */
function mappingOf(keycode: number, keysym: number): Buffer {
  const body = Buffer.alloc(12);
  body[0] = keycode;
  body[1] = 2;
  body.writeUInt32LE(keysym, 4);
  body.writeUInt32LE(keysym, 8);
  return body;
}
