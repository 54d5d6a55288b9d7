import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Static } from '../http/schema.ts';
import type { Database } from '../db/database.ts';
import type { Capability } from './capabilities.ts';
import type { KeyRestriction } from './schema.ts';
import { hashSecret, isSecret } from './secret.ts';
import { type KnownKey, findKeyByHash } from './store.ts';

/** Who calls, and what they may. */
export interface Caller {
  keyId: string;
  workspaceId: string;
  capabilities: ReadonlySet<Capability>;
  restriction: Static<typeof KeyRestriction> | null;
}

/** Revocation reaches every replica within this time. */
const cacheMs = 900;
const cachedMax = 10_000;

/** Turns a bearer token into a Caller, with at most one query a second for each key. */
export class Authenticator {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #cache = new Map<string, { key: KnownKey | undefined; untilMs: number }>();
  readonly #used = new Map<string, number>();

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @param authorization the header. @throws Fault `unauthenticated` */
  async authenticate(authorization: string | null): Promise<Caller> {
    const secret = authorization?.startsWith('Bearer ') ? authorization.slice(7) : undefined;
    if (secret === undefined) throw new Fault('unauthenticated', 'There is no API key in the request.');
    if (!isSecret(secret)) throw new Fault('unauthenticated', 'That is no API key: it is mistyped or cut off.');
    const key = await this.#look(hashSecret(secret));
    const nowMs = this.#clock.nowMs();
    if (key === undefined || key.revokedMs !== null)
      throw new Fault('unauthenticated', 'The API key is unknown or revoked.');
    if (key.expiresMs !== null && key.expiresMs <= nowMs)
      throw new Fault('unauthenticated', 'The API key has expired.');
    this.#used.set(key.caller.keyId, nowMs);
    return key.caller;
  }

  /** Forgets what it knows of a key, so that here it stops at once. */
  forget(keyId: string): void {
    for (const [hash, { key }] of this.#cache) if (key?.caller.keyId === keyId) this.#cache.delete(hash);
  }

  /** The keys used since the last call, and when; whoever takes them writes them down. */
  takeUsed(): ReadonlyMap<string, number> {
    const used = new Map(this.#used);
    this.#used.clear();
    return used;
  }

  async #look(hash: string): Promise<KnownKey | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const cached = this.#cache.get(hash);
    if (cached !== undefined && cached.untilMs > nowMs) return cached.key;
    const key = await findKeyByHash(this.#database.read, hash);
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(hash, { key, untilMs: nowMs + cacheMs });
    return key;
  }
}

/** @throws Fault `capability_missing` that names it */
export function requireCapability(caller: Caller, capability: Capability): void {
  if (caller.capabilities.has(capability)) return;
  throw new Fault('capability_missing', `This key lacks the capability ${capability}.`, { members: { capability } });
}
