import { say } from '../language.ts';
import { Icon } from './Icon.tsx';
import { done, failed } from './Toasts.tsx';

/** Puts a text on the clipboard. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const copy = () => navigator.clipboard.writeText(text).then(() => done(say('copied', { what })));
  return (
    <button type="button" class="icon-button" onClick={() => void copy().catch(failed)}>
      <Icon name="copy" />
      <span class="visually-hidden">{say('copy', { what })}</span>
    </button>
  );
}
