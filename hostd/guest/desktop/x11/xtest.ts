import { Fault } from '@lebureau/kit/fault';
import type { X11Connection } from './connection.ts';

const fakeInput = 2;
const eventTypes = { keyPress: 2, keyRelease: 3, buttonPress: 4, buttonRelease: 5, motion: 6 } as const;

/** Input as if from real devices, by the XTEST extension. Everything is carried out in the order of the calls. */
export class XTest {
  private readonly x11: X11Connection;
  private readonly opcode: number;

  /** @throws Fault `guest_unreachable` when the server lacks the extension. */
  static async open(x11: X11Connection): Promise<XTest> {
    const name = 'XTEST';
    const body = Buffer.alloc(4 + name.length);
    body.writeUInt16LE(name.length, 0);
    body.write(name, 4, 'latin1');
    const reply = await x11.call(98, 0, body);
    if (reply[8] !== 1) throw new Fault('guest_unreachable', 'The X server of the desktop lacks XTEST.');
    return new XTest(x11, reply[9]!);
  }

  private constructor(x11: X11Connection, opcode: number) {
    this.x11 = x11;
    this.opcode = opcode;
  }

  key(keycode: number, down: boolean): void {
    this.fake(down ? eventTypes.keyPress : eventTypes.keyRelease, keycode);
  }

  /** 1 left, 2 middle, 3 right, 4 to 7 the wheel up, down, left, right, 8 back, 9 forward. */
  button(button: number, down: boolean): void {
    this.fake(down ? eventTypes.buttonPress : eventTypes.buttonRelease, button);
  }

  move(x: number, y: number): void {
    this.fake(eventTypes.motion, 0, { x, y });
  }

  private fake(type: number, detail: number, at = { x: 0, y: 0 }): void {
    const body = Buffer.alloc(32);
    body[0] = type;
    body[1] = detail;
    if (type === eventTypes.motion) body.writeUInt32LE(this.x11.setup.root, 8);
    body.writeInt16LE(at.x, 20);
    body.writeInt16LE(at.y, 22);
    this.x11.send(this.opcode, fakeInput, body);
  }
}
