import type { Write } from '../db/database.ts';
import type { OauthRecordRow } from '../db/tables.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { isGood } from './life.ts';
import { endGrant } from './operations.ts';
import type { FoundOauthRecord, OauthRecordName, SaveOauthRecord } from './schema.ts';
import { findGrant, forgetOldest, selectGrantOf } from './store.ts';

/** Registered clients that nobody allowed in, and open requests: of each, strangers leave behind no more than this. */
export const ofStrangersMax = 5000;
/**
 * Of one grant's refresh tokens, and of its access tokens, the newest that are kept, used up or not. A refresh token that
 * comes again after its row was forgotten is refused like one that never was, and ends nothing: two hundred newer ones were
 * exchanged meanwhile, one by one. A thief who hurries so that the owner's own try comes too late is not found out by it;
 * the owner is asked again then, and finds the former grant in use in their list.
 */
export const ofGrantMax = 200;

/** As long as the gateway may go by it without fetching it again, and a request may wait for an answer after that. */
const strangersDocumentMs = 3_600_000 + 600_000;

type Name = Static<typeof OauthRecordName>;

/** @throws Fault `not_found` when its grant is no more: nothing is issued under it */
export async function saveRecord(
  services: Services,
  write: Write,
  body: Static<typeof SaveOauthRecord>,
): Promise<void> {
  const { kind, hash, grantId, payload, expiresInSeconds } = body;
  const nowMs = services.clock.nowMs();
  if (grantId !== null) {
    const known = await findGrant(write.db, grantId);
    if (known?.member === undefined || !isGood(known.grant, nowMs)) throw notFound('grant');
  }
  const wantedMs = nowMs + expiresInSeconds * 1000;
  const ofStranger = kind === 'document' && !(await isAllowedIn(write, payload));
  const expiresMs = ofStranger ? Math.min(wantedMs, nowMs + strangersDocumentMs) : wantedMs;
  const change = { payloadJson: JSON.stringify(payload), expiresMs };
  await write.db
    .insertInto('oauthRecords')
    .values({ kind, hash, grantId, consumedMs: null, ...change })
    .onConflict((conflict) => conflict.columns(['kind', 'hash']).doUpdateSet(change))
    .execute();
  const kept = grantId === null ? ofStrangersMax : ofGrantMax;
  await forgetOldest(write, { kind, grantId, kept, untilMs: change.expiresMs });
}

/** @throws Fault `not_found` */
export async function findRecord(
  { database, clock }: Services,
  { kind, hash }: Name,
): Promise<Static<typeof FoundOauthRecord>> {
  const row = await database.read
    .selectFrom('oauthRecords')
    .selectAll()
    .where('kind', '=', kind)
    .where('hash', '=', hash)
    .executeTakeFirst();
  if (row === undefined || row.expiresMs <= clock.nowMs()) throw notFound('record');
  return {
    payload: JSON.parse(row.payloadJson) as Record<string, unknown>,
    consumed: row.consumedMs !== null,
  };
}

/**
 * By compare-and-set: of two that come with the same code or refresh token one gets something. The other one is not who
 * it was given to, or that one is not: the grant ends for both.
 */
export async function consumeRecord(
  services: Services,
  write: Write,
  from: { name: Name; requestId: string },
): Promise<boolean> {
  const { kind, hash } = from.name;
  const nowMs = services.clock.nowMs();
  const consumed = await write.db
    .updateTable('oauthRecords')
    .set({ consumedMs: nowMs })
    .where('kind', '=', kind)
    .where('hash', '=', hash)
    .where('consumedMs', 'is', null)
    .where('expiresMs', '>', nowMs)
    .returning('hash')
    .executeTakeFirst();
  if (consumed !== undefined) return true;
  const row = await findRow(write, from.name);
  if (row === undefined) throw notFound('record');
  if (row.grantId !== null) await endGrant(services, write, { grantId: row.grantId, requestId: from.requestId });
  return false;
}

/** Whether somebody let the client in that the document is of: then strangers do not push it out. */
async function isAllowedIn({ db }: Write, { client_id: clientId }: Record<string, unknown>): Promise<boolean> {
  if (typeof clientId !== 'string') return false;
  return (await selectGrantOf(db, clientId).executeTakeFirst()) !== undefined;
}

export async function deleteRecord({ db }: Write, { kind, hash }: Name): Promise<void> {
  await db.deleteFrom('oauthRecords').where('kind', '=', kind).where('hash', '=', hash).execute();
}

function findRow({ db }: Write, { kind, hash }: Name): Promise<OauthRecordRow | undefined> {
  return db.selectFrom('oauthRecords').selectAll().where('kind', '=', kind).where('hash', '=', hash).executeTakeFirst();
}
