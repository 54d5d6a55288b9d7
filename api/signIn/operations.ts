import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { SessionRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { isGood, usedStepMs } from '../sessions/life.ts';
import { sessionToWire } from '../sessions/operations.ts';
import { findSessionByHash, insertSession, markSessionUsed, revokeSessions } from '../sessions/store.ts';
import { sessionTopic } from '../sessions/topic.ts';
import { endAllOf, userToWire } from '../users/operations.ts';
import { mayGive, type Role } from '../users/roles.ts';
import {
  findIdentity,
  findMembership,
  findUserByEmail,
  insertMember,
  insertUser,
  lockUser,
  type Member,
} from '../users/store.ts';
import { firstWorkspace } from '../workspaces/store.ts';
import { giverOf, useUpLink } from './links.ts';
import type { FoundSession, SignInByIdentity, SignInByLink, SignedInAnswer } from './schema.ts';
import { hashOf, newSessionSecret } from './secret.ts';

type Answer = Static<typeof SignedInAnswer>;
type Browser = Pick<Static<typeof SignInByLink>, 'userAgent' | 'ipAddress' | 'formerSessionHash'>;

export async function signInByLink(
  services: Services,
  write: Write,
  from: { requestId: string; body: Static<typeof SignInByLink> },
): Promise<Answer> {
  const { body, requestId } = from;
  const nowMs = services.clock.nowMs();
  const link = await useUpLink(write, body.token, nowMs);
  const known = link.userId ?? (link.email === null ? undefined : (await findUserByEmail(write.db, link.email))?.id);
  const member = known === undefined ? undefined : await findMembership(write.db, known);
  if (link.userId !== null && member === undefined)
    throw new Fault('sign_in_refused', 'Who this link was for is no member any more.');
  if (link.userId === null && member !== undefined) throw memberAlready();
  const giver = await giverOf(write, link, nowMs);
  if (giver === undefined || !mayGive(giver, member?.role ?? (link.role as Role)))
    throw new Fault('sign_in_refused', 'Who made this link may not give it any more.');
  const { workspaceId, name, email } = link;
  const wish = { workspaceId, name, email, role: link.role as Role, userId: known, requestId };
  const whom = member ?? (await welcome(services, write, wish));
  if (whom === undefined) throw memberAlready();
  return beginSession(services, write, { member: whom, browser: body, requestId });
}

function memberAlready(): Fault {
  return new Fault('sign_in_refused', 'Somebody with this address is a member already.', {
    hint: 'Ask for a link that is made for you.',
  });
}

/** @throws Fault `sign_in_refused` */
export async function signInByIdentity(
  services: Services,
  write: Write,
  from: { requestId: string; body: Static<typeof SignInByIdentity> },
): Promise<Answer> {
  const { body, requestId } = from;
  const member = await whoIs(services, write, from);
  return beginSession(services, write, { member, browser: body, requestId });
}

interface Comer {
  requestId: string;
  body: Static<typeof SignInByIdentity>;
}

/** By the identity; else by the verified address; else somebody new, where the domain may sign itself in. */
async function whoIs(services: Services, write: Write, comer: Comer): Promise<Member> {
  const { body, requestId } = comer;
  const known = await findIdentity(write.db, body.issuer, body.subject);
  if (known !== undefined) {
    const member = await findMembership(write.db, known.userId);
    if (member !== undefined) return member;
    throw new Fault('sign_in_refused', 'You are no member of this workspace any more.');
  }
  if (body.email === null || !body.emailVerified)
    throw new Fault('sign_in_refused', 'Your provider names no e-mail address that it has verified.', {
      hint: 'Verify your address there, then sign in again.',
    });
  const email = body.email.toLowerCase();
  const user = await findUserByEmail(write.db, email);
  const found =
    user === undefined
      ? await newcomer(services, write, { email, name: body.name, requestId })
      : await whoHas(services, write, { userId: user.id, comer });
  // They came twice at the same moment, and the other has told who they are by now.
  if (found === undefined) return whoIs(services, write, comer);
  const { issuer, subject } = body;
  await write.db
    .insertInto('identities')
    .values({ issuer, subject, userId: found.id, createdMs: services.clock.nowMs() })
    .execute();
  return found;
}

/** The member with this account; undefined when the identity has become known meanwhile. */
async function whoHas(
  services: Services,
  write: Write,
  { userId, comer }: { userId: string; comer: Comer },
): Promise<Member | undefined> {
  const { issuer, subject } = comer.body;
  await lockUser(write, userId);
  if ((await findIdentity(write.db, issuer, subject)) !== undefined) return undefined;
  const member = await findMembership(write.db, userId);
  if (member === undefined)
    throw new Fault('sign_in_refused', 'You are no member of this workspace any more.', {
      hint: 'Ask an admin for a link.',
    });
  await demandSamePerson(services, write, { member, issuer });
  return member;
}

/**
 * Whether an address that is verified now may lead to this account. Providers give addresses of people who left to others,
 * so one issuer vouches for one person only; and until now nobody vouched for an address that came with an invitation, so
 * whatever was begun under it ends.
 */
async function demandSamePerson(
  services: Services,
  write: Write,
  { member, issuer }: { member: Member; issuer: string },
): Promise<void> {
  const known = await write.db.selectFrom('identities').select('issuer').where('userId', '=', member.id).execute();
  if (known.some((each) => each.issuer === issuer))
    throw new Fault('sign_in_refused', 'This address belongs to somebody else of your provider.', {
      hint: 'Ask an admin to remove the former account.',
    });
  if (known.length === 0) await endAllOf(services, write, member.id);
}

async function newcomer(
  services: Services,
  write: Write,
  who: { email: string; name: string; requestId: string },
): Promise<Member | undefined> {
  const domain = who.email.slice(who.email.lastIndexOf('@') + 1);
  if (!services.signInDomains.includes(domain))
    throw new Fault('sign_in_refused', `Nobody has invited ${who.email}.`, {
      hint: 'Ask an admin for an invitation, or to let your domain in.',
    });
  const workspace = (await firstWorkspace(write.db))!;
  return welcome(services, write, { ...who, userId: undefined, workspaceId: workspace.id, role: 'member' });
}

/** @returns undefined when somebody came with the same address at the same moment */
async function welcome(
  services: Services,
  write: Write,
  who: {
    workspaceId: string;
    name: string;
    email: string | null;
    role: Role;
    /** Known, and no member of any workspace. */
    userId: string | undefined;
    requestId: string;
  },
): Promise<Member | undefined> {
  const createdMs = services.clock.nowMs();
  const { workspaceId, name, email, role, requestId } = who;
  const user = { id: who.userId ?? newId('usr', createdMs), name, email, createdMs, lastSignInMs: null };
  if (who.userId === undefined && !(await insertUser(write, user))) return undefined;
  if (!(await insertMember(write, { workspaceId, userId: user.id, role, createdMs }))) return undefined;
  await record(write, services.clock, {
    type: 'user.joined',
    workspaceId,
    actor: { type: 'user', id: user.id, name },
    requestId,
    data: { userId: user.id, role },
  });
  return { ...user, workspaceId, role };
}

/** A new session always, and the end of the one that the browser had: nothing that was planted before sign-in counts after it. */
async function beginSession(
  services: Services,
  write: Write,
  from: { member: Member; browser: Browser; requestId: string },
): Promise<Answer> {
  const { member, browser, requestId } = from;
  const nowMs = services.clock.nowMs();
  await endFormer(services, write, browser.formerSessionHash ?? null);
  const secret = newSessionSecret();
  const row: SessionRow = {
    id: newId('ses', nowMs),
    userId: member.id,
    hash: hashOf(secret),
    userAgent: browser.userAgent,
    ipAddress: browser.ipAddress,
    createdMs: nowMs,
    lastUsedMs: nowMs,
    revokedMs: null,
  };
  await insertSession(write, row);
  await write.db.updateTable('users').set({ lastSignInMs: nowMs }).where('id', '=', member.id).execute();
  await record(write, services.clock, {
    type: 'user.signed_in',
    workspaceId: member.workspaceId,
    actor: { type: 'user', id: member.id, name: member.name },
    requestId,
    data: { sessionId: row.id },
  });
  return { secret, session: sessionToWire(row, row.id), user: userToWire({ ...member, lastSignInMs: nowMs }) };
}

async function endFormer(services: Services, write: Write, hash: string | null): Promise<void> {
  const former = hash === null ? undefined : await findSessionByHash(write.db, hash);
  if (former === undefined) return;
  const { id: sessionId, userId } = former.session;
  await revokeSessions(write, { userId, sessionId }, services.clock.nowMs());
  write.afterCommit(() => services.authenticator.forgetSession(sessionId));
  write.wake(sessionTopic(sessionId));
}

/** @throws Fault `not_found` */
export async function findSession(services: Services, hash: string): Promise<Static<typeof FoundSession>> {
  const { database, clock } = services;
  const known = await findSessionByHash(database.read, hash);
  const nowMs = clock.nowMs();
  if (known?.member === undefined || !isGood(known.session, nowMs)) throw notFound('session');
  const { session, member } = known;
  if (nowMs - session.lastUsedMs >= usedStepMs)
    await database.write((write) => markSessionUsed(write, session.id, nowMs));
  return { session: sessionToWire(session, session.id), user: userToWire(member) };
}
