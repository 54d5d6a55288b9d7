import type { Kysely } from 'kysely';
import type { Flavour } from './database.ts';

/** Forward only, and the same on both databases. A migration that was released is never edited: add another. */
export interface Migration {
  name: string;
  up(db: Kysely<unknown>, flavour: Flavour): Promise<void>;
}
