import type { Display } from '../display/display.ts';
import type { Point } from '../input/coordinates.ts';
import type { Hands, MouseButton, TypeOptions, WheelDirection } from '../input/hands.ts';
import { words } from './x11/words.ts';
import type { X11Session } from './x11Session.ts';

const buttonNumbers: Record<MouseButton, number> = { left: 1, middle: 2, right: 3, back: 8, forward: 9 };
const wheelNumbers: Record<WheelDirection, number> = { up: 4, down: 5, left: 6, right: 7 };

/** Hands by the X server of the guest: any character under any layout, every button, and one order for keys and pointer. */
export class XTestHands implements Hands {
  readonly session: X11Session;
  private readonly display: Display;

  constructor(session: X11Session, display: Display) {
    this.session = session;
    this.display = display;
  }

  async move(to: Point): Promise<void> {
    this.session.xtest.move(to.x, to.y);
    this.display.noteCursor(to);
    this.display.noteInput();
  }

  async button(button: MouseButton, down: boolean): Promise<void> {
    this.session.xtest.button(buttonNumbers[button], down);
    this.display.noteInput();
  }

  async wheel(direction: WheelDirection, clicks: number): Promise<void> {
    for (let click = 0; click < clicks; click++) {
      this.session.xtest.button(wheelNumbers[direction], true);
      this.session.xtest.button(wheelNumbers[direction], false);
    }
    this.display.noteInput();
  }

  async key(keysym: number, down: boolean): Promise<void> {
    if (down) await this.session.keyboard.press(keysym);
    else await this.session.keyboard.release(keysym);
    this.display.noteInput();
  }

  async chord(keysyms: readonly number[]): Promise<void> {
    await this.session.keyboard.chord(keysyms);
    this.display.noteInput();
  }

  canType(text: string): Promise<boolean> {
    return this.session.keyboard.canType(text);
  }

  async type(text: string, options: TypeOptions): Promise<void> {
    await this.session.keyboard.type(text, options);
    this.display.noteInput();
  }

  async sync(): Promise<void> {
    await this.session.x11.sync();
    this.display.noteInput();
  }

  async cursor(): Promise<Point | undefined> {
    const reply = await this.session.x11.call(38, 0, words(this.session.x11.setup.root));
    return { x: reply.readInt16LE(16), y: reply.readInt16LE(18) };
  }
}
