import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { SignInLinkRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import { findKnownKey } from '../keys/store.ts';
import type { Services } from '../services.ts';
import { roleOf } from '../users/operations.ts';
import { capabilitiesOf, mayGive, type Role } from '../users/roles.ts';
import { findMember } from '../users/store.ts';
import type { CreateSignInLink, CreatedSignInLink } from './schema.ts';
import { hashOf, newLinkSecret } from './secret.ts';

const expiresInSecondsDefault = 86_400;

/** A link that signs one person in, once. Only its hash is kept. */
export async function createSignInLink(
  services: Services,
  write: Write,
  act: { caller: Caller; requestId: string; body: Static<typeof CreateSignInLink> },
): Promise<Static<typeof CreatedSignInLink>> {
  const { caller, requestId, body } = act;
  const known = body.userId === undefined ? undefined : await findMember(write.db, caller.workspaceId, body.userId);
  if (body.userId !== undefined && known === undefined) throw notFound('user');
  const role = known?.role ?? body.role ?? 'member';
  if (!mayGive(roleOf(caller), role))
    throw new Fault('capability_missing', 'Only an owner invites owners.', { members: { capability: 'users:write' } });
  const nowMs = services.clock.nowMs();
  const { row, secret } = newLink({
    workspaceId: caller.workspaceId,
    userId: known?.id ?? null,
    role,
    name: known?.name ?? body.name ?? body.email ?? 'New colleague',
    email: known ? null : (body.email?.toLowerCase() ?? null),
    createdBy: caller.actor.id ?? null,
    nowMs,
    expiresInSeconds: body.expiresInSeconds,
  });
  await write.db.insertInto('signInLinks').values(row).execute();
  await record(write, services.clock, {
    type: 'sign_in_link.created',
    workspaceId: caller.workspaceId,
    actor: caller.actor,
    requestId,
    data: { signInLinkId: row.id, role, userId: row.userId },
  });
  const { id, userId, name, email } = row;
  return { signInLink: { id, userId, role, name, email, expiresAt: toRfc3339(row.expiresMs) }, token: secret };
}

export function newLink(from: {
  workspaceId: string;
  userId: string | null;
  role: Role;
  name: string;
  email: string | null;
  createdBy: string | null;
  nowMs: number;
  expiresInSeconds?: number;
}): { row: SignInLinkRow; secret: string } {
  const { nowMs, expiresInSeconds = expiresInSecondsDefault, ...rest } = from;
  const secret = newLinkSecret();
  const row: SignInLinkRow = {
    ...rest,
    id: newId('sil', nowMs),
    hash: hashOf(secret),
    createdMs: nowMs,
    expiresMs: nowMs + expiresInSeconds * 1000,
    usedMs: null,
  };
  return { row, secret };
}

/** By compare-and-set: of two that come with the same link one is let in. @throws Fault `sign_in_refused` */
export async function useUpLink({ db }: Write, token: string, nowMs: number): Promise<SignInLinkRow> {
  const row = await db
    .updateTable('signInLinks')
    .set({ usedMs: nowMs })
    .where('hash', '=', hashOf(token))
    .where('usedMs', 'is', null)
    .where('expiresMs', '>', nowMs)
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw new Fault('sign_in_refused', 'This link is unknown, used or expired.', {
    hint: 'Ask who gave it to you for another one.',
  });
}

/** What the maker of a link may give now; undefined once they may give nothing. */
export async function giverOf({ db }: Write, link: SignInLinkRow, nowMs: number): Promise<Role | undefined> {
  const { createdBy, workspaceId } = link;
  // Whoever runs the machine.
  if (createdBy === null) return 'owner';
  if (createdBy.startsWith('usr_')) {
    const role = (await findMember(db, workspaceId, createdBy))?.role;
    return role !== undefined && capabilitiesOf(role).has('users:write') ? role : undefined;
  }
  const key = await findKnownKey(db, workspaceId, createdBy);
  const isGood = key !== undefined && key.revokedMs === null && (key.expiresMs ?? Infinity) > nowMs;
  return isGood && key.caller.capabilities.has('users:write') ? 'admin' : undefined;
}

const keptMs = 7 * 86_400_000;

export async function purgeLinks(db: Write['db'], nowMs: number): Promise<void> {
  await db
    .deleteFrom('signInLinks')
    .where('expiresMs', '<', nowMs - keptMs)
    .execute();
}
