import type { Database, Write } from '../db/database.ts';
import type { AuthorityGenerationRow, AuthorityRow } from '../db/tables.ts';
import { type KeyAndCertificate, makeAuthority } from './certificates.ts';
import { authorityNames } from './peer.ts';
import { seal, unseal } from './seal.ts';

/** Both authorities of one generation, ready to sign. */
export interface Generation extends AuthorityGenerationRow {
  nodes: KeyAndCertificate;
  replicas: KeyAndCertificate;
}

export interface SealKeys {
  current: Buffer;
  /** With which the rows may still be sealed. */
  former?: Buffer;
}

/** Wakes every replica when a generation has come a step further. */
export const authorityTopic = 'authorities';

const names = ['nodes', 'replicas'] as const;

/** Makes a generation beside those there are. @returns whether it did: of several that try at once one does */
export async function insertGeneration(
  write: Write,
  row: Omit<AuthorityGenerationRow, 'droppedMs'>,
  sealKey: Buffer,
): Promise<boolean> {
  const { generation, createdMs } = row;
  const { numInsertedOrUpdatedRows } = await write.db
    .insertInto('authorityGenerations')
    .values({ ...row, droppedMs: null })
    .onConflict((conflict) => conflict.column('generation').doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows !== 1n) return false;
  for (const name of names) {
    // Verifiers look an issuer up by its name, so no two generations share one.
    const commonName = generation === 1 ? authorityNames[name] : `${authorityNames[name]} ${generation}`;
    const made = await makeAuthority(commonName, createdMs);
    const keySealed = seal(sealKey, sealedName(name, generation), made.privateKeyPem);
    const values = { name, generation, certificatePem: made.certificatePem, keySealed, createdMs };
    // Those of the first may be older than the counting of generations.
    await write.db
      .insertInto('authorities')
      .values(values)
      .onConflict((conflict) => conflict.columns(['name', 'generation']).doNothing())
      .execute();
  }
  write.wake(authorityTopic);
  return true;
}

/** Those that were not dropped, oldest first. @throws Error when a row is sealed with none of the keys */
export async function readGenerations(
  database: Database,
  keys: SealKeys,
  known: readonly Generation[] = [],
): Promise<Generation[]> {
  // In one query: between two, a generation may be dropped.
  const rows = await database.read
    .selectFrom('authorityGenerations as g')
    .innerJoin('authorities as a', 'a.generation', 'g.generation')
    .select(['g.generation', 'g.createdMs', 'g.deadlineMs', 'g.signsMs', 'g.shownMs', 'g.droppedMs'])
    .select(['a.name', 'a.certificatePem', 'a.keySealed'])
    .where('g.droppedMs', 'is', null)
    .orderBy('g.generation')
    .execute();
  const found = new Map<number, Generation>();
  for (const { name, certificatePem, keySealed, ...row } of rows) {
    const before = known.find((each) => each.generation === row.generation);
    const pair = before ?? found.get(row.generation);
    const opened =
      before === undefined
        ? { [name]: { certificatePem, privateKeyPem: open(keys, { name, generation: row.generation, keySealed }) } }
        : {};
    found.set(row.generation, { ...pair, ...opened, ...row } as Generation);
  }
  return [...found.values()];
}

/** Seals what a former key sealed with the current one; a row at a time, so it can be cut off and goes on the next time. */
export async function rewrap(database: Database, keys: SealKeys): Promise<number> {
  const rows = await database.read.selectFrom('authorities').selectAll().execute();
  let count = 0;
  for (const row of rows) {
    if (tryUnseal(keys.current, row) !== undefined) continue;
    const keySealed = seal(keys.current, sealedName(row.name, row.generation), open(keys, row));
    const { numUpdatedRows } = await database.write(({ db }) =>
      db.updateTable('authorities').set({ keySealed }).where('keySealed', '=', row.keySealed).executeTakeFirst(),
    );
    count += Number(numUpdatedRows);
  }
  return count;
}

type Sealed = Pick<AuthorityRow, 'name' | 'generation' | 'keySealed'>;

function open(keys: SealKeys, row: Sealed): string {
  const text = tryUnseal(keys.current, row) ?? (keys.former && tryUnseal(keys.former, row));
  if (text !== undefined) return text;
  throw new Error(
    'The keys of the node authorities in the database are sealed with another key. Give every replica the same LEBUREAU_NODE_CA_KEY_FILE: the file node-ca-key of the first one; when it was replaced, the one before as LEBUREAU_NODE_CA_FORMER_KEY_FILE.',
  );
}

function tryUnseal(key: Buffer, { name, generation, keySealed }: Sealed): string | undefined {
  try {
    return unseal(key, sealedName(name, generation), keySealed);
  } catch {
    return undefined;
  }
}

/** What the seal is bound to: a row put in the place of another cannot be opened. */
function sealedName(name: string, generation: number): string {
  return generation === 1 ? name : `${name} ${generation}`;
}
