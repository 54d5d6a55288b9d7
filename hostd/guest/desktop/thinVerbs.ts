import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { Action, ActionBatch } from '../actions/types.ts';

type Schemas = components['schemas'];

/** The bodies of the thin verbs: one action each, the answer of a batch. */
export interface ThinVerbs {
  click: Schemas['ClickBody'];
  drag: Schemas['DragBody'];
  scroll: Schemas['ScrollBody'];
  type: Schemas['TypeBody'];
  key: Schemas['KeyBody'];
}

const actionOf: { [Verb in keyof ThinVerbs]: (body: ThinVerbs[Verb]) => Action } = {
  click: ({ x, y, button, count, modifiers }) => ({ action: 'click', x, y, button, count, modifiers }),
  drag: ({ button, modifiers, durationMs, ...body }) => ({
    action: 'drag',
    path: pathOf(body),
    button,
    modifiers,
    durationMs,
  }),
  scroll: ({ x, y, dx, dy, unit, modifiers }) => ({ action: 'scroll', x, y, dx, dy, unit, modifiers }),
  type: ({ text, pressEnter, clearFirst, method, delayMs }) => ({
    action: 'type',
    text,
    pressEnter,
    clearFirst,
    method,
    delayMs,
  }),
  key: ({ key, keys, repeat }) => ({ action: 'key', keys: keysOf(key, keys), repeat }),
};

/** The batch of one action that a thin verb is. Without a word about it, it takes no screenshot. */
export function thinBatch<Verb extends keyof ThinVerbs>(verb: Verb, body: ThinVerbs[Verb]): ActionBatch {
  const { coordinates, settle, screenshot } = body;
  return { actions: [actionOf[verb](body)], coordinates, settle, screenshot: screenshot ?? false };
}

function pathOf({ path, startX, startY, endX, endY }: Omit<Schemas['DragBody'], 'button'>) {
  if (path) return path;
  if (startX === undefined || startY === undefined || endX === undefined || endY === undefined) {
    throw new Fault('invalid_request', 'drag wants `path`, or `startX`, `startY`, `endX` and `endY`.');
  }
  return [
    { x: startX, y: startY },
    { x: endX, y: endY },
  ];
}

function keysOf(key: string | undefined, keys: readonly string[] | undefined): string[] {
  if (keys) return [...keys];
  if (key === undefined) throw new Fault('invalid_request', 'key wants `key` or `keys`.');
  return [key];
}
