import { say } from '../language.ts';
import type { ScreenSession } from '../streams/screenSession.ts';
import { Menu, MenuItem } from '../ui/Menu.tsx';
import { done, failed, refused } from '../ui/Toasts.tsx';

/** X keysym, and the place on the keyboard. */
const keys = {
  Ctrl: { keysym: 0xffe3, code: 'ControlLeft' },
  Alt: { keysym: 0xffe9, code: 'AltLeft' },
  Delete: { keysym: 0xffff, code: 'Delete' },
  Escape: { keysym: 0xff1b, code: 'Escape' },
  Tab: { keysym: 0xff09, code: 'Tab' },
  Super: { keysym: 0xffeb, code: 'MetaLeft' },
  F4: { keysym: 0xffc1, code: 'F4' },
  F11: { keysym: 0xffc8, code: 'F11' },
} as const;

/** What a browser, or the machine below it, keeps for itself. */
const chords: readonly (readonly (keyof typeof keys)[])[] = [
  ['Ctrl', 'Alt', 'Delete'],
  ['Alt', 'Tab'],
  ['Alt', 'F4'],
  ['Escape'],
  ['Tab'],
  ['Super'],
  ['F11'],
];

export function KeysMenu({ live }: { live: ScreenSession }) {
  const paste = async () => {
    await live.paste(await navigator.clipboard.readText());
    done(say('screen.pasted'));
  };
  const copy = async () => {
    // What is promised within the click may be written after it: some browsers forget the click while we ask.
    const copied = live.copied();
    const text = copied.then((it) => new Blob([it], { type: 'text/plain' }));
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': text })]).catch(async (error: unknown) => {
      // Where the desktop gave nothing, that is what went wrong.
      await copied;
      throw error;
    });
    done(say('copied', { what: say('screen.clipboard') }));
  };
  return (
    <Menu label={say('screen.keys')} icon="more">
      {chords.map((chord) => (
        <MenuItem key={chord.join()} onChoose={() => live.press(chord.map((name) => keys[name]))}>
          {chord.join(' + ')}
        </MenuItem>
      ))}
      <MenuItem onChoose={() => void paste().catch(clipboardFailed)}>{say('screen.paste')}</MenuItem>
      <MenuItem onChoose={() => void copy().catch(clipboardFailed)}>{say('screen.copy')}</MenuItem>
    </Menu>
  );
}

/** Refused by a person or by the browser, or not there at all, as on plain HTTP. */
function clipboardFailed(error: unknown): void {
  if (navigator.clipboard === undefined || (error as Error).name === 'NotAllowedError')
    refused(say('screen.clipboardRefused'));
  else failed(error);
}
