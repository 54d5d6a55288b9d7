import { useStore } from '@nanostores/preact';
import { atom } from 'nanostores';
import { ApiProblem } from '../client.ts';
import { say } from '../language.ts';
import { Icon } from './Icon.tsx';

interface Toast {
  id: number;
  kind: 'done' | 'failed';
  text: string;
  /** One thing that can be done about it, such as to undo it. */
  offer?: Offer;
}

export interface Offer {
  name: string;
  act: () => Promise<unknown>;
}

const shownMs = 8000;
const toasts = atom<readonly Toast[]>([]);
let lastId = 0;

export function done(text: string, offer?: Offer): void {
  show('done', text, offer);
}

/** Says what went wrong and what to do next. */
export function failed(error: unknown): void {
  if (error instanceof ApiProblem) show('failed', [error.message, error.hint].filter(Boolean).join(' '));
  else show('failed', say('failed.network'));
}

/** What was not done, in words of ours. */
export function refused(text: string): void {
  show('failed', text);
}

function show(kind: Toast['kind'], text: string, offer?: Offer): void {
  const id = ++lastId;
  toasts.set([...toasts.get(), { id, kind, text, offer }].slice(-4));
  setTimeout(() => dismiss(id), shownMs);
}

async function take(id: number, offer: Offer): Promise<void> {
  dismiss(id);
  await offer.act().catch(failed);
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useStore(toasts).map(({ id, kind, text, offer }) => (
        <div key={id} class={`toast ${kind}`}>
          <Icon name={kind === 'done' ? 'check' : 'alert'} />
          <span>{text}</span>
          {offer && (
            <button type="button" class="button" onClick={() => void take(id, offer)}>
              {offer.name}
            </button>
          )}
          <button type="button" class="icon-button" onClick={() => dismiss(id)}>
            <Icon name="close" />
            <span class="visually-hidden">{say('close')}</span>
          </button>
        </div>
      ))}
    </div>
  );
}
