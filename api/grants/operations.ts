import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { GrantRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller, SignedIn } from '../keys/auth.ts';
import { stillGood } from '../keys/stillGood.ts';
import type { Services } from '../services.ts';
import { hashOf } from '../signIn/secret.ts';
import { capabilitiesOf } from '../users/roles.ts';
import type { Member } from '../users/store.ts';
import { allowedBy } from './allowedBy.ts';
import { documentMs, idleMs, isGood, lifeMs, usedStepMs } from './life.ts';
import type { CreateGrant, FoundGrant, Grant, OauthRecordName } from './schema.ts';
import {
  endGrants,
  findGrant,
  findGrants,
  forgetEnded,
  forgetUnclaimed,
  insertGrant,
  type KnownGrant,
  listGrantsOf,
  markGrantUsed,
} from './store.ts';
import { grantTopic } from './topic.ts';

type Found = Static<typeof FoundGrant>;

function toWire(row: GrantRow, member: Pick<Member, 'role'>): Static<typeof Grant> {
  return {
    id: row.id,
    clientId: row.clientId,
    clientName: row.clientName,
    redirectHost: row.redirectHost,
    capabilities: allowedBy(row, member.role),
    createdAt: toRfc3339(row.createdMs),
    lastUsedAt: toRfc3339(row.lastUsedMs),
    expiresAt: toRfc3339(row.createdMs + lifeMs),
  };
}

export async function listGrants(services: Services, own: SignedIn): Promise<Static<typeof Grant>[]> {
  const nowMs = services.clock.nowMs();
  const after = { createdMs: nowMs - lifeMs, usedMs: nowMs - idleMs };
  const rows = await listGrantsOf(services.database.read, own.userId, after);
  return rows.map((row) => toWire(row, own));
}

/** @throws Fault `not_found` for one that is not theirs. One that ended before is no error. */
export async function revokeGrant(
  services: Services,
  write: Write,
  act: { caller: Caller; own: SignedIn; requestId: string; grantId: string },
): Promise<void> {
  const { caller, own, requestId, grantId } = act;
  const known = await findGrant(write.db, grantId);
  if (known?.grant.userId !== own.userId) throw notFound('grant');
  await end(services, write, { which: { grantId }, actor: caller.actor, requestId });
}

/** The gateway says so: the client gave it back, or a token was used twice. */
export function endGrant(services: Services, write: Write, act: { grantId: string; requestId: string }): Promise<void> {
  const { grantId, requestId } = act;
  return end(services, write, { which: { grantId }, actor: { type: 'gateway' }, requestId });
}

/** All of a person. */
export function endGrantsOf(services: Services, write: Write, userId: string): Promise<void> {
  return end(services, write, { which: { userId }, actor: { type: 'system' }, requestId: null });
}

async function end(
  services: Services,
  write: Write,
  act: { which: { userId: string } | { grantId: string }; actor: Caller['actor']; requestId: string | null },
): Promise<void> {
  await tellEnded(services, write, { ...act, rows: await endGrants(write, act.which, services.clock.nowMs()) });
}

/** Forgets what ended, and ends what was allowed and nobody came for. */
export async function purgeGrants(
  services: Services,
  write: Write,
  before: { createdMs: number; usedMs: number; nowMs: number },
): Promise<void> {
  const rows = [...(await forgetEnded(write.db, before)), ...(await forgetUnclaimed(write.db, before.nowMs))];
  await tellEnded(services, write, { rows, actor: { type: 'system' }, requestId: null });
}

/** To calls that run under them, to who remembers them here, and to who reads events. */
async function tellEnded(
  services: Services,
  write: Write,
  act: { rows: readonly GrantRow[]; actor: Caller['actor']; requestId: string | null },
): Promise<void> {
  for (const row of act.rows) {
    write.wake(grantTopic(row.id));
    write.afterCommit(() => services.authenticator.forgetGrant(row.id));
    await record(write, services.clock, {
      type: 'grant.revoked',
      workspaceId: row.workspaceId,
      actor: act.actor,
      requestId: act.requestId,
      data: { grantId: row.id, clientName: row.clientName, userId: row.userId },
    });
  }
}

/** @throws Fault `not_found` when the session has ended, `capability_missing` for more than the person may themselves */
export async function createGrant(
  services: Services,
  write: Write,
  from: { requestId: string; body: Static<typeof CreateGrant> },
): Promise<Found> {
  const { requestId, body } = from;
  const { userId, sessionId, capabilities, ...rest } = body;
  const nowMs = services.clock.nowMs();
  const person = await personOf(write, { userId, sessionId, nowMs });
  const lacking = capabilities.find((name) => !capabilitiesOf(person.session!.role).has(name));
  if (lacking !== undefined)
    throw new Fault('capability_missing', `Your role, ${person.session!.role}, lacks ${lacking} and cannot give it.`, {
      members: { capability: lacking },
    });
  const row: GrantRow = {
    ...rest,
    id: newId('grt', nowMs),
    workspaceId: person.workspaceId,
    userId,
    capabilitiesJson: JSON.stringify(capabilities),
    createdMs: nowMs,
    lastUsedMs: nowMs,
    revokedMs: null,
  };
  await insertGrant(write, row);
  await keepClient(write, body.clientId, nowMs);
  await record(write, services.clock, {
    type: 'grant.created',
    workspaceId: row.workspaceId,
    actor: person.actor,
    requestId,
    data: { grantId: row.id, clientName: row.clientName, userId, capabilities },
  });
  return { grant: toWire(row, person.session!), userId, resource: row.resource };
}

/**
 * A client that registered and was allowed in is kept for as long as it may come back; its document, where it has one,
 * for as long as one may be taken that was good last.
 */
async function keepClient({ db }: Write, clientId: string, nowMs: number): Promise<void> {
  for (const [kind, keptMs] of [
    ['client', lifeMs],
    ['document', documentMs],
  ] as const)
    await db
      .updateTable('oauthRecords')
      .set({ expiresMs: nowMs + keptMs })
      .where('kind', '=', kind)
      .where('hash', '=', hashOf(clientId))
      .execute();
}

async function personOf(
  write: Write,
  { userId, sessionId, nowMs }: { userId: string; sessionId: string; nowMs: number },
): Promise<Caller> {
  const credential = { actorType: 'user', actorId: userId, sessionId } as const;
  const membership = await write.db
    .selectFrom('members')
    .select('workspaceId')
    .where('userId', '=', userId)
    .orderBy('workspaceId')
    .executeTakeFirst();
  const person =
    membership && (await stillGood({ read: write.db }, { ...credential, workspaceId: membership.workspaceId }, nowMs));
  if (person === undefined) throw notFound('session');
  return person;
}

/** @throws Fault `not_found` */
export async function findGoodGrant({ database, clock }: Services, grantId: string): Promise<Found> {
  return foundOf(await findGrant(database.read, grantId), clock.nowMs());
}

/** @throws Fault `not_found` */
export async function findAccess(services: Services, name: Static<typeof OauthRecordName>): Promise<Found> {
  const { database, clock } = services;
  const nowMs = clock.nowMs();
  const row = await database.read
    .selectFrom('oauthRecords')
    .select('grantId')
    .where('kind', '=', name.kind)
    .where('hash', '=', name.hash)
    .where('expiresMs', '>', nowMs)
    .executeTakeFirst();
  if (row?.grantId == null) throw notFound('token');
  const known = await findGrant(database.read, row.grantId);
  const found = foundOf(known, nowMs);
  if (nowMs - known!.grant.lastUsedMs >= usedStepMs)
    await database.write((write) => markGrantUsed(write, found.grant.id, nowMs));
  return found;
}

function foundOf(known: KnownGrant | undefined, nowMs: number): Found {
  if (known?.member === undefined || !isGood(known.grant, nowMs)) throw notFound('grant');
  const { grant, member } = known;
  return { grant: toWire(grant, member), userId: grant.userId, resource: grant.resource };
}

export async function goodOf({ database, clock }: Services, grantIds: readonly string[]): Promise<string[]> {
  if (grantIds.length === 0) return [];
  const nowMs = clock.nowMs();
  const rows = await findGrants(database.read, grantIds);
  return rows.filter((row) => isGood(row, nowMs)).map(({ id }) => id);
}
