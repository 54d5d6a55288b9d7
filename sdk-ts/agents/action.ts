import type { Action, Coordinates } from '../types.ts';

export type ActionOf<Name extends Action['action']> = Extract<Action, { action: Name }>;

/** How one call of a vendor's tool and one of our actions are made of each other. */
export interface Row<Args> {
  toActions(args: Args): Action[];
}

export interface Batch {
  actions: Action[];
  coordinates: Coordinates;
}

/** A call that a vendor's model made and that this version does not know, or whose arguments make no sense. */
export class UnknownCallError extends Error {
  override readonly name = 'UnknownCallError';
}

/** `"ctrl+shift"`, `"ctrl shift"` or `["ctrl", "shift"]` as a list of keys. A plus that is itself the key stays one. */
export function keysOf(keys: string | readonly string[]): string[] {
  const list = typeof keys === 'string' ? keys.split(/\s+/) : keys;
  return list
    .flatMap((key) => (key === '+' ? [key] : key.split(/\+(?!$)/).filter((part) => part !== '')))
    .filter(Boolean);
}

/** An optional member, left out when it has nothing to say. */
export function modifiersOf(keys: string | readonly string[] | undefined | null): { modifiers?: string[] } {
  const list = keys ? keysOf(keys) : [];
  return list.length > 0 ? { modifiers: list } : {};
}
