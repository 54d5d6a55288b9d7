import type { Event } from '@lebureau/sdk/types';
import { atom } from 'nanostores';

/** How the page is connected: `lost` is shown, and what was missed is caught up with. */
export const connection = atom<'connecting' | 'live' | 'lost'>('connecting');

type Listener = (event: Event) => void;
const listeners = new Set<Listener>();
const resyncs = new Set<() => void>();
let source: EventSource | undefined;
let opened = false;

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

/** One connection for the whole page; the browser opens it again with the last position. */
export function connect(): void {
  source?.close();
  const opening = new EventSource('/v1/events');
  source = opening;
  opening.addEventListener('open', () => {
    connection.set('live');
    if (opened) for (const again of resyncs) again();
    opened = true;
  });
  opening.addEventListener('error', () => {
    connection.set('lost');
    if (opening.readyState !== EventSource.CLOSED) return;
    // Refused for good, such as a position that is not kept any more: begin anew.
    setTimeout(connect, 2000 + Math.random() * 3000);
  });
  opening.addEventListener('message', take);
  for (const type of eventTypes) opening.addEventListener(type, take);
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
