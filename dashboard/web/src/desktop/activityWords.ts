import type { Event } from '@lebureau/sdk/types';
import { type MessageName, say } from '../language.ts';

const wordsOf: Partial<Record<Event['type'], MessageName>> = {
  'desktop.created': 'activity.created',
  'desktop.updated': 'activity.updated',
  'desktop.starting': 'activity.starting',
  'desktop.started': 'activity.started',
  'desktop.ready': 'activity.ready',
  'desktop.stopping': 'activity.stopping',
  'desktop.stopped': 'activity.stopped',
  'desktop.error': 'activity.error',
  'desktop.moving': 'activity.moving',
  'desktop.moved': 'activity.moved',
  'desktop.unmoved': 'activity.unmoved',
  'desktop.control_taken': 'activity.controlTaken',
  'desktop.control_released': 'activity.controlReleased',
  'desktop.destroying': 'activity.destroying',
  'desktop.destroyed': 'activity.destroyed',
};

/** What happened, in the reader's words; a kind that this page does not know yet by the word of the API. */
export function sayEvent({ type, data }: Event): string {
  const name = type === 'desktop.starting' && data.action === 'restart' ? 'activity.restarting' : wordsOf[type];
  return name === undefined ? type : say(name, { name: typeof data.name === 'string' ? data.name : '' });
}

/** By whom; empty for what the machine does by itself. */
export function sayActor({ actor }: Event, ownUserId: string | undefined): string {
  if (actor.type === 'node' || actor.type === 'system') return '';
  if (actor.type === 'user' && actor.id === ownUserId) return say('activity.byYou');
  const actorName = actor.name ?? actor.id ?? actor.type;
  return say(actor.type === 'key' ? 'activity.byKey' : 'activity.by', { actor: actorName });
}

const causes: Record<string, MessageName> = { drain: 'activity.byDrain', move: 'activity.byMove' };

/** What went wrong, or what it comes from, where an event tells it. */
export function sayDetail({ type, data }: Event): string {
  if (type === 'desktop.error' || type === 'desktop.unmoved')
    return typeof data.message === 'string' ? data.message : '';
  const cause = typeof data.cause === 'string' ? causes[data.cause] : undefined;
  return cause === undefined ? '' : say(cause);
}
