import { HeldInputs } from '../input/heldInputs.ts';
import { Fault } from '@lebureau/kit/fault';
import { type Key, keysymOfCharacter, parseChord, parseKey } from '../input/keys.ts';
import type { ActionContext, Prepare } from './types.ts';

const repeatGapMs = 10;

export const type: Prepare<'type'> = (action) => {
  const text = action.text.replaceAll('\r\n', '\n');
  refuseControlCharacters(text);
  return async (context, signal) => {
    if (action.clearFirst) {
      await strike(context, parseChord(['ctrl+a']));
      await strike(context, parseChord(['Delete']));
    }
    const paste = action.method === 'paste' || (action.method !== 'keys' && !(await context.hands.canType(text)));
    if (!paste) await context.hands.type(text, { delayMs: action.delayMs ?? 0, signal });
    else if (text !== '') await pasteText(context, text);
    if (action.pressEnter) await strike(context, parseChord(['Return']));
  };
};

export const key: Prepare<'key'> = (action) => {
  const chord = plainLetters(parseChord(action.keys));
  return async (context, signal) => {
    for (let done = 0; done < (action.repeat ?? 1); done++) {
      signal.throwIfAborted();
      if (done > 0) await context.clock.sleep(repeatGapMs, signal);
      await strike(context, chord);
    }
  };
};

export const holdKey: Prepare<'holdKey'> = (action) => {
  const chord = plainLetters(parseChord(action.keys));
  return async (context, signal) => {
    const held = new HeldInputs(context.hands);
    try {
      for (const { keysym } of chord) await held.key(keysym, true);
      await context.clock.sleep(action.durationMs, signal);
    } finally {
      await held.releaseAll();
    }
  };
};

export const keyDown: Prepare<'keyDown'> = (action) => upOrDown(action.key, true);
export const keyUp: Prepare<'keyUp'> = (action) => upOrDown(action.key, false);

function upOrDown(name: string, down: boolean): ReturnType<Prepare<'keyDown'>> {
  const { keysym } = parseKey(name);
  return ({ held }) => held.key(keysym, down);
}

function strike({ hands }: ActionContext, chord: readonly Key[]): Promise<void> {
  return hands.chord(chord.map(({ keysym }) => keysym));
}

async function pasteText(context: ActionContext, text: string): Promise<void> {
  await context.hands.sync();
  await context.guest.paste(text);
}

/** In a chord a letter names its key: `CTRL+A` is no ctrl+shift+a. */
function plainLetters(chord: readonly Key[]): Key[] {
  if (chord.length === 1) return [...chord];
  return chord.map((one) =>
    /^[A-Z]$/.test(one.name) ? { ...one, keysym: keysymOfCharacter(one.name.toLowerCase()) } : one,
  );
}

function refuseControlCharacters(text: string): void {
  if (!text.isWellFormed()) throw new Fault('invalid_request', 'The text holds half of a character.');
  // eslint-disable-next-line no-control-regex
  const found = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.exec(text);
  if (!found) return;
  const codePoint = found[0].codePointAt(0)!.toString(16).padStart(4, '0');
  throw new Fault('invalid_request', `U+${codePoint} is no character to type.`, { hint: 'Use the `key` action.' });
}
