import { Fault } from '@lebureau/kit/fault';
import { type TSchema, t } from './schema.ts';

export const pageQuery = {
  limit: t.Optional(t.Integer({ minimum: 1, maximum: 100, description: 'Default 20.' })),
  cursor: t.Optional(
    t.String({ maxLength: 500, description: '`nextCursor` of the page before; good for the same filter only.' }),
  ),
};

export const limitDefault = 20;

export function listOf(item: TSchema, about: string): TSchema {
  return t.Object({
    data: t.Array(item, { description: about }),
    nextCursor: t.Nullable(t.String(), {
      description: 'Null: this was the last page. A page may hold fewer than `limit` and still not be the last.',
    }),
  });
}

/**
 * One page of a list that is read as a whole because it is short.
 * @throws Fault `invalid_request` when the cursor is of no such list, or what it stood at is gone
 */
export function pageOf<Item extends { id: string }>(
  items: readonly Item[],
  { limit = limitDefault, cursor }: { limit?: number; cursor?: string },
  list: string,
): { data: Item[]; nextCursor: string | null } {
  const lastId = decodeCursor(cursor, list);
  const last = items.findIndex((item) => item.id === lastId);
  if (lastId !== undefined && last < 0) throw strangeCursor();
  const data = items.slice(last + 1, last + 1 + limit);
  const isEnd = last + 1 + limit >= items.length;
  return { data, nextCursor: isEnd ? null : encodeCursor(data.at(-1)!.id, list) };
}

/** An opaque cursor: the last id seen, bound to the filter it was made for. */
export function encodeCursor(lastId: string, filter: unknown): string {
  return Buffer.from(JSON.stringify([lastId, filterMark(filter)])).toString('base64url');
}

/** @throws Fault `invalid_request` when it is malformed or belongs to another filter. */
export function decodeCursor(cursor: string | undefined, filter: unknown): string | undefined {
  if (cursor === undefined) return undefined;
  const [lastId, mark] = parse(cursor);
  if (lastId === undefined || mark !== filterMark(filter)) {
    throw strangeCursor();
  }
  return lastId;
}

export function strangeCursor(): Fault {
  return new Fault('invalid_request', 'The cursor is not one of this list with this filter.', {
    hint: 'Start again without `cursor`.',
    members: {
      errors: [{ pointer: '/query/cursor', code: 'invalid', message: 'not a cursor of this list and filter' }],
    },
  });
}

function parse(cursor: string): [string?, string?] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) && value.every((part) => typeof part === 'string') ? (value as [string, string]) : [];
  } catch {
    return [];
  }
}

function filterMark(filter: unknown): string {
  return new Bun.CryptoHasher('sha256').update(JSON.stringify(filter)).digest('base64url').slice(0, 12);
}
