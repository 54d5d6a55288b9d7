import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Display } from '../display/display.ts';
import type { RfbClient } from '../display/rfbClient.ts';
import type { Point } from './coordinates.ts';
import { HeldInputs } from './heldInputs.ts';
import type { Hands, MouseButton, TypeOptions, WheelDirection } from './hands.ts';
import { keysymOfCharacter } from './keys.ts';

/** Bits of the RFB pointer message. QEMU knows no others than these five. */
const buttonBits: Partial<Record<MouseButton, number>> = { left: 1, middle: 2, right: 4 };
const wheelBits: Partial<Record<WheelDirection, number>> = { up: 8, down: 16 };
/** A virtual input device drops events that come faster than the guest takes them. */
const stepMs = 8;
const shiftKeysym = 0xffe1;
/** What the US layout makes with Shift: the layout of every template, and of QEMU's own key map. */
const shifted = new Set('~!@#$%^&*()_+{}|:"<>?ABCDEFGHIJKLMNOPQRSTUVWXYZ');

/**
 * Hands by the hypervisor's display. They reach every desktop from the first boot line on and need nothing of the
 * guest, but know only the keys of the US layout, three buttons and a vertical wheel.
 */
export class RfbHands implements Hands {
  private readonly display: Display;
  private readonly clock: Clock;
  private at: Point | undefined;
  private buttons = 0;
  private readonly keysyms = new Set<number>();

  /** Whether the keys of the US layout make all of `text`. */
  static knows(text: string): boolean {
    return /^[\n\r\t\x20-\x7e]*$/.test(text);
  }

  constructor(display: Display, clock: Clock) {
    this.display = display;
    this.clock = clock;
  }

  async move(to: Point): Promise<void> {
    this.at = to;
    await this.point();
  }

  async button(button: MouseButton, down: boolean): Promise<void> {
    const bit = buttonBits[button];
    if (bit === undefined) throw needsGuest(`The ${button} button`);
    this.buttons = down ? this.buttons | bit : this.buttons & ~bit;
    await this.point();
  }

  async wheel(direction: WheelDirection, clicks: number): Promise<void> {
    const bit = wheelBits[direction];
    if (bit === undefined) throw needsGuest(`The wheel to the ${direction}`);
    for (let click = 0; click < clicks; click++) {
      this.buttons |= bit;
      await this.point();
      this.buttons &= ~bit;
      await this.point();
    }
  }

  async key(keysym: number, down: boolean): Promise<void> {
    (await this.client()).key(keysym, down);
    if (down) this.keysyms.add(keysym);
    else this.keysyms.delete(keysym);
    await this.clock.sleep(stepMs);
  }

  async chord(keysyms: readonly number[]): Promise<void> {
    const held = new HeldInputs(this);
    try {
      for (const keysym of keysyms.filter((each) => !this.keysyms.has(each))) await held.key(keysym, true);
    } finally {
      await held.releaseAll();
    }
  }

  /** What it cannot type it cannot paste either: `type` then says why. */
  async canType(): Promise<boolean> {
    return true;
  }

  async type(text: string, { delayMs, signal }: TypeOptions): Promise<void> {
    if (!RfbHands.knows(text)) throw needsGuest('Text beyond the US keyboard');
    for (const character of text) {
      signal?.throwIfAborted();
      const keysym = keysymOfCharacter(character);
      const shift = shifted.has(character);
      if (shift) await this.key(shiftKeysym, true);
      try {
        await this.key(keysym, true);
      } finally {
        await this.key(keysym, false);
        if (shift) await this.key(shiftKeysym, false);
      }
      if (delayMs > 0) await this.clock.sleep(delayMs, signal);
    }
  }

  /** The hypervisor takes messages in order, so its next look at the screen comes after all of them. */
  async sync(): Promise<void> {
    await (await this.client()).confirm();
  }

  async cursor(): Promise<Point | undefined> {
    return this.at;
  }

  private async point(): Promise<void> {
    const client = await this.client();
    // Without a place the first message would move the pointer: the middle is as good as any.
    const { width, height } = client.framebuffer;
    this.at ??= { x: Math.floor(width / 2), y: Math.floor(height / 2) };
    client.pointer(this.buttons, this.at.x, this.at.y);
    await this.clock.sleep(stepMs);
  }

  private client(): Promise<RfbClient> {
    this.display.noteInput();
    return this.display.connected();
  }
}

function needsGuest(what: string): Fault {
  return new Fault('guest_unreachable', `${what} goes by the X server of the desktop, which does not answer yet.`, {
    hint: 'Wait until the desktop is ready, then try again.',
  });
}
