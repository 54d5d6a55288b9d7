import { useMemo, useRef } from 'preact/hooks';
import { say } from '../language.ts';
import type { ScreenSession } from '../streams/screenSession.ts';
import { typedBetween } from '../streams/typedBetween.ts';
import { Typing } from '../streams/typing.ts';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';

/** Something to erase, since nobody hears a backspace in an empty field. */
const filler = '_'.repeat(60);
const [shortest, longest] = [20, 400];

/** Where there is no keyboard but the one on the screen: it comes for a field that nobody sees, and what it does there is done on the desktop. */
export function TouchKeyboard({ live }: { live: ScreenSession }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const before = useRef(filler);
  const typing = useMemo(() => new Typing((typed) => live.type(typed), failed), [live]);
  const begin = () => {
    const { current } = field;
    if (current === null) return;
    current.value = filler;
    current.setSelectionRange(filler.length, filler.length);
    before.current = filler;
  };
  const heard = (event: InputEvent) => {
    const after = field.current!.value;
    typing.add(typedBetween(before.current, after));
    before.current = after;
    if (!event.isComposing && (after.length < shortest || after.length > longest)) begin();
  };
  return (
    <>
      <button type="button" class="button touch-only" onClick={() => field.current?.focus()}>
        <Icon name="keyboard" />
        {say('screen.keyboard')}
      </button>
      <textarea
        ref={field}
        class="visually-hidden"
        tabIndex={-1}
        aria-label={say('screen.keyboard')}
        autocapitalize="none"
        autocomplete="off"
        autocorrect="off"
        spellcheck={false}
        onFocus={() => {
          begin();
          live.keepFocus(true);
        }}
        onBlur={() => live.keepFocus(false)}
        onInput={heard}
      />
    </>
  );
}
