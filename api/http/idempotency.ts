import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import { invalid } from './validate.ts';

export const keptMs = 24 * 60 * 60 * 1000;
/** Longer than any request takes: a row that is still open then belongs to a process that died. */
const abandonedMs = 15 * 60 * 1000;
const bodyKeptMax = 1_048_576;
/** What a desktop answers can be large and is asked for often: of more than this only the status is kept. */
export const forwardedKeptMax = 16_384;

/** One request as its Idempotency-Key names it. */
export interface Once {
  keyId: string;
  idempotencyKey: string;
  requestHash: string;
}

export interface KeptAnswer {
  status: number;
  bodyText: string | null;
}

/** @returns undefined without the header. @throws Fault `invalid_request` */
export function onceOf(request: Request, keyId: string, body: Uint8Array | undefined): Once | undefined {
  const idempotencyKey = request.headers.get('idempotency-key');
  if (idempotencyKey === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(idempotencyKey)) {
    throw invalid([
      { pointer: '/header/Idempotency-Key', code: 'pattern', message: 'wants 1 to 255 printable ASCII characters' },
    ]);
  }
  const { pathname, search } = new URL(request.url);
  const hasher = new Bun.CryptoHasher('sha256').update(`${request.method} ${pathname}${search}\n`);
  return { keyId, idempotencyKey, requestHash: hasher.update(body ?? '').digest('hex') };
}

/**
 * Claims the key for this request. @returns the kept answer when it was carried out before, else undefined: carry it out.
 * @throws Fault `idempotency_mismatch`, `idempotency_in_progress`, `replay_unavailable`
 */
export async function claim({ db }: Write, once: Once, clock: Clock): Promise<KeptAnswer | undefined> {
  const nowMs = clock.nowMs();
  await db
    .deleteFrom('idempotency')
    .where('keyId', '=', once.keyId)
    .where('idempotencyKey', '=', once.idempotencyKey)
    .where('createdMs', '<', nowMs - keptMs)
    .execute();
  const inserted = await db
    .insertInto('idempotency')
    .values({ ...once, status: null, bodyText: null, createdMs: nowMs })
    .onConflict((conflict) => conflict.columns(['keyId', 'idempotencyKey']).doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows === 1n) return undefined;
  const row = await db
    .selectFrom('idempotency')
    .selectAll()
    .where('keyId', '=', once.keyId)
    .where('idempotencyKey', '=', once.idempotencyKey)
    .executeTakeFirstOrThrow();
  if (row.requestHash !== once.requestHash)
    throw new Fault('idempotency_mismatch', 'This Idempotency-Key was used for another request.');
  if (row.status !== null && row.bodyText !== tooLong) return { status: row.status, bodyText: row.bodyText };
  if (row.status !== null)
    throw new Fault(
      'replay_unavailable',
      `The first request ended with status ${row.status}; its answer was not kept.`,
    );
  if (nowMs - row.createdMs < abandonedMs)
    throw new Fault('idempotency_in_progress', 'The first request with this Idempotency-Key still runs.', {
      retryAfterSeconds: 1,
    });
  throw new Fault('replay_unavailable', 'The first request was cut off, and nobody knows whether it was carried out.');
}

/** Stands in the place of an answer; it is no JSON, so no answer equals it. */
export const tooLong = 'not kept';
/** A request whose effect nobody can tell is never carried out again. */
export const outcomeUnknown: KeptAnswer = { status: 504, bodyText: tooLong };

export async function keep({ db }: Write, once: Once, answer: KeptAnswer & { bodyMax?: number }): Promise<void> {
  const bodyText = (answer.bodyText?.length ?? 0) > (answer.bodyMax ?? bodyKeptMax) ? tooLong : answer.bodyText;
  await db
    .updateTable('idempotency')
    .set({ status: answer.status, bodyText })
    .where('keyId', '=', once.keyId)
    .where('idempotencyKey', '=', once.idempotencyKey)
    .execute();
}

/** For a request that was refused before it had an effect: the key may be used again. */
export async function release({ db }: Write, once: Once): Promise<void> {
  await db
    .deleteFrom('idempotency')
    .where('keyId', '=', once.keyId)
    .where('idempotencyKey', '=', once.idempotencyKey)
    .where('status', 'is', null)
    .execute();
}
