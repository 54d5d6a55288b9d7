import type { Key } from '@lebureau/sdk/types';
import { client } from '../client.ts';
import { allPages } from '../ui/allPages.ts';

/** Those that are good: your own, and as an admin everybody's. */
export async function readKeys(): Promise<Key[]> {
  const all = (await allPages(
    (cursor) => client.GET('/v1/keys', { params: { query: { limit: 100, cursor } } }) as never,
  )) as Key[];
  return all.filter((key) => key.revokedAt === null);
}
