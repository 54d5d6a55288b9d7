import type RFB from '@novnc/novnc';

type KeyEvent = [keysym: number, code: string, down: boolean, numLock?: boolean | null, capsLock?: boolean | null];

/**
 * noVNC sees a pinch as Ctrl with the wheel and does not say how the locks of a keyboard are, which it then takes for a
 * difference from the desktop's: it would press Caps Lock there. Null is what it calls unknown.
 */
export function keepLocks(rfb: RFB): void {
  const inner = rfb as unknown as { _handleKeyEvent(...event: KeyEvent): void };
  const handle = inner._handleKeyEvent.bind(rfb);
  inner._handleKeyEvent = (...[keysym, code, down, numLock = null, capsLock = null]) =>
    handle(keysym, code, down, numLock, capsLock);
}
