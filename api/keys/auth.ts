import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Static } from '../http/schema.ts';
import type { Database } from '../db/database.ts';
import { allowedBy } from '../grants/allowedBy.ts';
import { isGood as isGoodGrant } from '../grants/life.ts';
import { findGrant, type KnownGrant } from '../grants/store.ts';
import { isGood } from '../sessions/life.ts';
import { findSession, type KnownSession } from '../sessions/store.ts';
import { capabilitiesOf, type Role } from '../users/roles.ts';
import type { Member } from '../users/store.ts';
import { type Asserted, type Assertions, isAssertion } from './assertion.ts';
import { cachedFor } from './cachedFor.ts';
import { allows, type Capability } from './capabilities.ts';
import type { KeyRestriction } from './schema.ts';
import { hashSecret, isSecret } from './secret.ts';
import { type KnownKey, findKeyByHash } from './store.ts';

/** Who calls, and what they may. */
export interface Caller {
  /**
   * The key, the person who signed in, or the grant of a client, and what they are called; the id stands in rows and
   * events, the name in events as well.
   */
  actor: { type: 'key' | 'user' | 'client' | 'gateway' | 'system'; id?: string; name?: string };
  workspaceId: string;
  capabilities: ReadonlySet<Capability>;
  restriction: Static<typeof KeyRestriction> | null;
  session?: SignedIn;
  /** Of a person's key or grant: who made it, and what they are now. */
  maker?: { userId: string; role: Role };
}

export interface SignedIn {
  sessionId: string;
  userId: string;
  role: Role;
}

/** Asks to know whose session it is, and nothing of a workspace. */
const gateway: Caller = { actor: { type: 'gateway' }, workspaceId: '', capabilities: new Set(), restriction: null };

/** Turns a bearer token, an API key or an assertion of the gateway, into a Caller, with at most one query a second for each. */
export class Authenticator {
  readonly #clock: Clock;
  readonly #assertions: Assertions | undefined;
  readonly #keys;
  readonly #sessions;
  readonly #grants;
  readonly #used = new Map<string, number>();

  constructor(database: Database, clock: Clock, assertions?: Assertions) {
    this.#clock = clock;
    this.#assertions = assertions;
    this.#keys = cachedFor<KnownKey | undefined>(clock, (hash) => findKeyByHash(database.read, hash));
    this.#sessions = cachedFor<KnownSession | undefined>(clock, (id) => findSession(database.read, id));
    this.#grants = cachedFor<KnownGrant | undefined>(clock, (id) => findGrant(database.read, id));
  }

  /** @param authorization the header. @throws Fault `unauthenticated` */
  async authenticate(authorization: string | null): Promise<Caller> {
    const secret = authorization?.startsWith('Bearer ') ? authorization.slice(7) : undefined;
    if (secret === undefined) throw new Fault('unauthenticated', 'There is no API key in the request.');
    if (this.#assertions !== undefined && isAssertion(secret))
      return this.#byAssertion(await this.#assertions.read(secret));
    if (!isSecret(secret)) throw new Fault('unauthenticated', 'That is no API key: it is mistyped or cut off.');
    const key = await this.#keys.get(hashSecret(secret));
    const nowMs = this.#clock.nowMs();
    if (key === undefined || key.revokedMs !== null)
      throw new Fault('unauthenticated', 'The API key is unknown or revoked.');
    if (key.expiresMs !== null && key.expiresMs <= nowMs)
      throw new Fault('unauthenticated', 'The API key has expired.');
    this.#used.set(key.caller.actor.id!, nowMs);
    return key.caller;
  }

  /** Forgets what it knows of a key, so that here it stops at once. */
  forget(keyId: string): void {
    this.#keys.forget((key) => key?.caller.actor.id === keyId);
  }

  forgetSession(sessionId: string): void {
    this.#sessions.forget((known) => known?.session.id === sessionId);
  }

  forgetGrant(grantId: string): void {
    this.#grants.forget((known) => known?.grant.id === grantId);
  }

  forgetUser(userId: string): void {
    this.#grants.forget((known) => known?.grant.userId === userId);
    this.#sessions.forget((known) => known?.session.userId === userId);
    this.#keys.forget((key) => key?.createdBy === userId);
  }

  /** The keys used since the last call, and when; whoever takes them writes them down. */
  takeUsed(): ReadonlyMap<string, number> {
    const used = new Map(this.#used);
    this.#used.clear();
    return used;
  }

  async #byAssertion(asserted: Asserted): Promise<Caller> {
    switch (asserted.by) {
      case 'gateway':
        return gateway;
      case 'session':
        return this.#bySession(asserted);
      case 'grant':
        return this.#byGrant(asserted);
    }
  }

  async #byGrant({ grantId, userId }: { grantId: string; userId: string }): Promise<Caller> {
    const known = await this.#grants.get(grantId);
    const caller = known && callerOfGrant(known, this.#clock.nowMs());
    if (caller?.maker?.userId === userId) return caller;
    throw new Fault('unauthenticated', 'What this client was allowed was taken back or has ended.', {
      hint: 'Connect it anew.',
    });
  }

  async #bySession({ sessionId, userId }: { sessionId: string; userId: string }): Promise<Caller> {
    const known = await this.#sessions.get(sessionId);
    if (known?.member?.id !== userId || !isGood(known.session, this.#clock.nowMs()))
      throw new Fault('unauthenticated', 'The session has ended.', { hint: 'Sign in again.' });
    return callerOfSession(known.member, sessionId);
  }
}

/** A person with what their role allows. */
export function callerOfSession({ id: userId, name, workspaceId, role }: Member, sessionId: string): Caller {
  return {
    actor: { type: 'user', id: userId, name },
    workspaceId,
    capabilities: capabilitiesOf(role),
    restriction: null,
    session: { sessionId, userId, role },
  };
}

/** A client with what it was allowed and the person may still; undefined once that ended. */
export function callerOfGrant({ grant, member }: KnownGrant, nowMs: number): Caller | undefined {
  if (member === undefined || !isGoodGrant(grant, nowMs)) return undefined;
  return {
    actor: { type: 'client', id: grant.id, name: grant.clientName },
    workspaceId: grant.workspaceId,
    capabilities: new Set(allowedBy(grant, member.role)),
    restriction: null,
    maker: { userId: member.id, role: member.role },
  };
}

/** @throws Fault `capability_missing` that names it */
export function requireCapability(caller: Caller, capability: Capability): void {
  if (allows(caller.capabilities, capability)) return;
  const who = caller.session === undefined ? `This ${caller.actor.type}` : `Your role, ${caller.session.role},`;
  throw new Fault('capability_missing', `${who} lacks the capability ${capability}.`, { members: { capability } });
}
