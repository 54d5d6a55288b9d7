import { CompiledQuery } from 'kysely';
import type { Flavour, Reader } from './database.ts';

/**
 * Runs hand-written SQL with `?` for parameters, for the few queries that are asked so often that building them each
 * time would cost more than running them.
 */
export async function select<Row>(
  db: Reader,
  flavour: Flavour,
  query: { text: string; parameters: readonly unknown[] },
): Promise<Row[]> {
  const { rows } = await db.executeQuery<Row>(
    CompiledQuery.raw(flavour === 'sqlite' ? query.text : numbered(query.text), [...query.parameters]),
  );
  return rows;
}

function numbered(text: string): string {
  let count = 0;
  return text.replaceAll('?', () => `$${++count}`);
}
