import { dataOf } from '../client.ts';

const pagesMax = 50;

interface Page<Item> {
  data?: { data: Item[]; nextCursor: string | null };
  error?: unknown;
  response: Response;
}

/** Every item of a list that comes in pages. */
export async function allPages<Item>(page: (cursor: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const all: Item[] = [];
  let cursor: string | undefined;
  for (let count = 0; count < pagesMax; count++) {
    const { data, nextCursor } = await dataOf(page(cursor));
    all.push(...data);
    if (nextCursor === null) break;
    cursor = nextCursor;
  }
  return all;
}
