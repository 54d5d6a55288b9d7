import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import { record } from '../events/record.ts';
import { decodeCursor, encodeCursor, limitDefault } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import { endGrantsOf } from '../grants/operations.ts';
import { revokeKeysOf } from '../keys/store.ts';
import type { Services } from '../services.ts';
import { revokeSessions } from '../sessions/store.ts';
import { sessionTopic } from '../sessions/topic.ts';
import { keyTopic } from '../keys/topic.ts';
import { mayGive, type Role } from './roles.ts';
import type { ListUsersQuery, UpdateUser, User } from './schema.ts';
import { findMember, listMembers, lockOwners, type Member } from './store.ts';

export function userToWire(member: Member): Static<typeof User> {
  return {
    id: member.id,
    name: member.name,
    email: member.email,
    role: member.role,
    createdAt: toRfc3339(member.createdMs),
    lastSignInAt: member.lastSignInMs === null ? null : toRfc3339(member.lastSignInMs),
  };
}

export async function listUsers(
  services: Services,
  caller: Caller,
  query: Static<typeof ListUsersQuery>,
): Promise<{ data: Static<typeof User>[]; nextCursor: string | null }> {
  const limit = query.limit ?? limitDefault;
  const before = decodeCursor(query.cursor, 'users');
  const rows = await listMembers(services.database.read, caller.workspaceId, { before, limit: limit + 1 });
  const data = rows.slice(0, limit);
  return {
    data: data.map(userToWire),
    nextCursor: rows.length > limit ? encodeCursor(data.at(-1)!.id, 'users') : null,
  };
}

interface Act {
  caller: Caller;
  requestId: string;
  userId: string;
}

export async function updateUser(
  services: Services,
  write: Write,
  act: Act & { body: Static<typeof UpdateUser> },
): Promise<Member> {
  const { body } = act;
  const member = await changeable(write, act, body.role ?? 'viewer');
  if (body.role !== undefined && body.role !== 'owner') await keepAnOwner(write, member);
  const { workspaceId, id: userId } = member;
  if (body.role !== undefined)
    await write.db
      .updateTable('members')
      .set({ role: body.role })
      .where('workspaceId', '=', workspaceId)
      .where('userId', '=', userId)
      .execute();
  if (body.name !== undefined)
    await write.db.updateTable('users').set({ name: body.name }).where('id', '=', userId).execute();
  await tell(services, write, { ...act, type: 'user.updated', data: { ...body } });
  write.afterCommit(() => services.authenticator.forgetUser(userId));
  return { ...member, ...body };
}

/** Ends all that they hold: membership, sessions, the keys that they created, and what they allowed clients. */
export async function removeUser(services: Services, write: Write, act: Act): Promise<void> {
  const member = await changeable(write, act, 'viewer');
  await keepAnOwner(write, member);
  await write.db
    .deleteFrom('members')
    .where('workspaceId', '=', member.workspaceId)
    .where('userId', '=', member.id)
    .execute();
  await endAllOf(services, write, member.id);
  await tell(services, write, { ...act, type: 'user.removed', data: {} });
}

/** Ends the sessions of a person, the keys that they made, and what they allowed clients. */
export async function endAllOf(services: Services, write: Write, userId: string): Promise<void> {
  const nowMs = services.clock.nowMs();
  for (const sessionId of await revokeSessions(write, { userId }, nowMs)) write.wake(sessionTopic(sessionId));
  for (const keyId of await revokeKeysOf(write, userId, nowMs)) write.wake(keyTopic(keyId));
  await endGrantsOf(services, write, userId);
  write.afterCommit(() => services.authenticator.forgetUser(userId));
}

/** @throws Fault `not_found`, `capability_missing` when the caller may not touch them or give that role */
async function changeable(write: Write, { caller, userId }: Act, role: Role): Promise<Member> {
  const member = await findMember(write.db, caller.workspaceId, userId);
  if (member === undefined) throw notFound('user');
  const giver = roleOf(caller);
  if (mayGive(giver, member.role) && mayGive(giver, role)) return member;
  throw new Fault('capability_missing', 'Only an owner makes, changes or removes owners.', {
    members: { capability: 'users:write' },
  });
}

/**
 * What somebody who writes users counts as: a key as an admin, and never as an owner.
 * @throws Fault `capability_missing` for a key that sees some desktops only: whoever it brought in would see all; and for
 *   an MCP client, which is let in to desktops and never to people
 */
export function roleOf(caller: Caller): Role {
  if (caller.actor.type === 'client')
    throw new Fault('capability_missing', 'An MCP client changes no people.', {
      members: { capability: 'users:write' },
    });
  if (caller.restriction === null) return caller.session?.role ?? 'admin';
  throw new Fault('capability_missing', 'A key that is restricted to some desktops changes no people.', {
    members: { capability: 'users:write' },
  });
}

async function keepAnOwner(write: Write, member: Member): Promise<void> {
  if (member.role !== 'owner') return;
  const owners = await lockOwners(write, member.workspaceId);
  if (owners.some((userId) => userId !== member.id)) return;
  throw new Fault('wrong_state', 'They are the only owner of the workspace.', {
    hint: 'Make somebody else an owner first.',
  });
}

async function tell(
  services: Services,
  write: Write,
  what: Act & { type: 'user.updated' | 'user.removed'; data: Record<string, unknown> },
): Promise<void> {
  const { caller, requestId, userId, type, data } = what;
  await record(write, services.clock, {
    type,
    workspaceId: caller.workspaceId,
    actor: caller.actor,
    requestId,
    data: { userId, ...data },
  });
}
