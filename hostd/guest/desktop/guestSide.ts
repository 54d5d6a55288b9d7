import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { GuestSide, Window } from '../actions/types.ts';
import { parseChord } from '../input/keys.ts';
import type { GuestPrograms } from './guestPrograms.ts';
import type { X11Clipboard } from './x11/selection.ts';
import type { X11Link } from './x11Link.ts';

const pasteTimeoutMs = 3_000;
/** A program may fetch the clipboard twice for one paste; the former text comes back after this. */
const pasteRestMs = 200;
const pollMs = 20;

/** The parts of a batch that only the guest can do. */
export class DesktopGuestSide implements GuestSide {
  private readonly link: X11Link;
  private readonly programs: GuestPrograms;
  private readonly clock: Clock;

  constructor(parts: { link: X11Link; programs: GuestPrograms; clock: Clock }) {
    this.link = parts.link;
    this.programs = parts.programs;
    this.clock = parts.clock;
  }

  async windows(): Promise<Window[]> {
    return (await this.link.session()).windows.list();
  }

  /** Asked after every batch, so it does not wait for a session that is not open. */
  async activeWindow(): Promise<Window | undefined> {
    return this.link.ready?.windows.active();
  }

  findText(text: string, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
    return this.programs.findText(text, timeoutMs, signal);
  }

  openUrl(url: string, signal: AbortSignal): Promise<void> {
    return this.programs.openUrl(url, signal);
  }

  /** At once by our own session, then by a program of the guest, so that it outlives the session. */
  async setClipboard(text: string): Promise<void> {
    const { clipboard } = await this.link.session();
    await clipboard.set(text);
    if (text !== '') await this.programs.keepClipboard(text);
  }

  async paste(text: string): Promise<void> {
    const { clipboard, keyboard, windows } = await this.link.session();
    const former = await clipboard.get().catch(() => '');
    const active = await windows.active();
    const isTerminal = /term|konsole/i.test(active?.className ?? '');
    await clipboard.set(text);
    try {
      const window = active && Number.parseInt(active.windowId.slice(2), 16);
      const served = clipboard.servedCount(window);
      await keyboard.chord(parseChord([isTerminal ? 'ctrl+shift+v' : 'ctrl+v']).map(({ keysym }) => keysym));
      await this.untilServed(clipboard, { window, served });
    } finally {
      if (former === '') await clipboard.clear();
      else await this.setClipboard(former);
    }
  }

  /** Others look at every new clipboard, too (a manager of clipboards, a VNC server): the program that has the keyboard counts. */
  private async untilServed(
    clipboard: X11Clipboard,
    before: { window: number | undefined; served: number },
  ): Promise<void> {
    const endMs = this.clock.monotonicMs() + pasteTimeoutMs;
    while (clipboard.servedCount(before.window) === before.served) {
      if (this.clock.monotonicMs() >= endMs) {
        throw new Fault('timeout', 'No program took the text that was to be pasted.', {
          hint: 'Click into a text field first, or use method `keys`.',
        });
      }
      await this.clock.sleep(pollMs);
    }
    await this.clock.sleep(pasteRestMs);
  }
}
