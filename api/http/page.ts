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

/** An opaque cursor: the last id seen, bound to the filter it was made for. */
export function encodeCursor(lastId: string, filter: unknown): string {
  return Buffer.from(JSON.stringify([lastId, filterMark(filter)])).toString('base64url');
}

/** @throws Fault `invalid_request` when it is malformed or belongs to another filter. */
export function decodeCursor(cursor: string | undefined, filter: unknown): string | undefined {
  if (cursor === undefined) return undefined;
  const [lastId, mark] = parse(cursor);
  if (lastId === undefined || mark !== filterMark(filter)) {
    throw new Fault('invalid_request', 'The cursor is not one of this list with this filter.', {
      hint: 'Start again without `cursor`.',
      members: {
        errors: [{ pointer: '/query/cursor', code: 'invalid', message: 'not a cursor of this list and filter' }],
      },
    });
  }
  return lastId;
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
