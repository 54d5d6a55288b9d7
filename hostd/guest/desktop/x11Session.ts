import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { X11Connection } from './x11/connection.ts';
import { X11Keyboard } from './x11/keyboard.ts';
import { X11Clipboard } from './x11/selection.ts';
import { X11Windows } from './x11/windows.ts';
import { XTest } from './x11/xtest.ts';

/** Everything that goes by one connection to the X server of a desktop. */
export interface X11Session {
  x11: X11Connection;
  xtest: XTest;
  keyboard: X11Keyboard;
  clipboard: X11Clipboard;
  windows: X11Windows;
}

/** @throws Fault `guest_unreachable`. */
export async function openX11Session(stream: Duplex, clock: Clock): Promise<X11Session> {
  const x11 = await X11Connection.connect(stream, clock);
  try {
    const [xtest, clipboard] = await Promise.all([XTest.open(x11), X11Clipboard.open(x11, clock)]);
    return {
      x11,
      xtest,
      keyboard: new X11Keyboard(x11, xtest, clock),
      clipboard,
      windows: new X11Windows(x11),
    };
  } catch (error) {
    x11.close();
    throw error;
  }
}
