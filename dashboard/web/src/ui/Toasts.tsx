import { useStore } from '@nanostores/preact';
import { atom } from 'nanostores';
import { ApiProblem } from '../client.ts';
import { say } from '../language.ts';
import { Icon } from './Icon.tsx';

interface Toast {
  id: number;
  kind: 'done' | 'failed';
  text: string;
}

const shownMs = 8000;
const toasts = atom<readonly Toast[]>([]);
let lastId = 0;

export function done(text: string): void {
  show('done', text);
}

/** Says what went wrong and what to do next. */
export function failed(error: unknown): void {
  if (error instanceof ApiProblem) show('failed', [error.message, error.hint].filter(Boolean).join(' '));
  else show('failed', say('failed.network'));
}

function show(kind: Toast['kind'], text: string): void {
  const id = ++lastId;
  toasts.set([...toasts.get(), { id, kind, text }].slice(-4));
  setTimeout(() => dismiss(id), shownMs);
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useStore(toasts).map(({ id, kind, text }) => (
        <div key={id} class={`toast ${kind}`}>
          <Icon name={kind === 'done' ? 'check' : 'alert'} />
          <span>{text}</span>
          <button type="button" class="icon-button" onClick={() => dismiss(id)}>
            <Icon name="close" />
            <span class="visually-hidden">{say('close')}</span>
          </button>
        </div>
      ))}
    </div>
  );
}
