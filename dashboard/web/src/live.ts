import type { Event } from '@lebureau/sdk/types';
import { atom } from 'nanostores';
import { loadSession } from './session.ts';

/** How the page is connected: `lost` is shown, and what was missed is caught up with. */
export const connection = atom<'connecting' | 'live' | 'lost'>('connecting');

type Listener = (event: Event) => void;
const listeners = new Set<Listener>();
const resyncs = new Set<() => void>();
let source: EventSource | undefined;
/** Something may have happened that this page was not told. */
let mayHaveMissed = false;

/** Every event of the workspace as it happens. @returns the end of it */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** After a gap that could not be filled, and when the page comes back: read everything anew. */
export function onResync(again: () => void): () => void {
  resyncs.add(again);
  return () => resyncs.delete(again);
}

/** A stream that breaks is there again at once, mostly; only one that is not is worth a word. */
const quietMs = 1500;
const askLimitMs = 5000;
let worry: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let isWanted = false;

/**
 * One connection for the whole page; the browser opens it again with the last position. None for a page that nobody sees:
 * over HTTP/1.1 a browser has six for all of its tabs, and the next tab would wait for ever.
 */
export function connect(): void {
  isWanted = true;
  source?.close();
  source = undefined;
  if (document.visibilityState === 'hidden') {
    mayHaveMissed = true;
    return;
  }
  const opening = new EventSource('/v1/events');
  source = opening;
  opening.addEventListener('open', () => {
    clearTimeout(worry);
    worry = undefined;
    failures = 0;
    connection.set('live');
    if (mayHaveMissed) for (const again of resyncs) again();
    mayHaveMissed = true;
  });
  opening.addEventListener('error', () => {
    mayHaveMissed = true;
    worry ??= setTimeout(() => connection.set('lost'), quietMs);
    if (opening.readyState === EventSource.CLOSED) void beginAnew(opening);
  });
  opening.addEventListener('message', take);
  for (const type of eventTypes) opening.addEventListener(type, take);
}

/**
 * Over for good: by Firefox, which ends silent streams when a network of its machine changes, or by the service, which
 * keeps the position no more or has ended the session. That shows the sign-in.
 */
async function beginAnew(ended: EventSource): Promise<void> {
  const pauseMs = failures++ === 0 ? 0 : 2000 + Math.random() * 3000;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const known = await loadSession(AbortSignal.timeout(askLimitMs)).catch(() => undefined);
  if (source !== ended) return;
  if (known?.user !== null) return connect();
  isWanted = false;
  leave();
}

function leave(): void {
  mayHaveMissed = true;
  clearTimeout(worry);
  worry = undefined;
  source?.close();
  source = undefined;
}

function take(message: MessageEvent<string>): void {
  const event = JSON.parse(message.data) as Event;
  for (const listener of listeners) listener(event);
}

/** EventSource delivers named events only to who names them. */
const eventTypes: readonly Event['type'][] = [
  'desktop.created',
  'desktop.updated',
  'desktop.starting',
  'desktop.started',
  'desktop.ready',
  'desktop.stopping',
  'desktop.stopped',
  'desktop.error',
  'desktop.moving',
  'desktop.moved',
  'desktop.unmoved',
  'desktop.control_taken',
  'desktop.control_released',
  'desktop.destroying',
  'desktop.destroyed',
  'key.created',
  'key.revoked',
  'node.joined',
  'node.updated',
  'node.cordoned',
  'node.uncordoned',
  'node.draining',
  'node.drained',
  'node.fenced',
  'node.decommissioned',
  'user.joined',
  'user.updated',
  'user.removed',
  'session.revoked',
];

window.addEventListener('online', () => connection.get() === 'lost' && connect());
document.addEventListener('visibilitychange', () => {
  if (!isWanted) return;
  if (document.visibilityState === 'hidden') leave();
  else connect();
});
