import { createPublicKey } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { isId } from '@lebureau/kit/id';

/** Who the gateway says is asking: itself, somebody with a session, or a client that somebody allowed in. */
export type Asserted =
  | { by: 'gateway' }
  | { by: 'session'; userId: string; sessionId: string }
  | { by: 'grant'; userId: string; grantId: string };

const issuer = 'lebureau-gateway';
const audience = 'lebureau-api';
/** An assertion lives no longer than this, whatever it says of itself. */
const maxAgeSeconds = 60;
const clockSkewSeconds = 5;

/** A compact JWS has three parts; an API key has no dot. */
export function isAssertion(secret: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(secret);
}

/** Reads what the gateway signs, by its public key (PEM, Ed25519). */
export class Assertions {
  readonly #keys: ReturnType<typeof createPublicKey>[];
  readonly #clock: Clock;

  /** @param pems of every gateway that is trusted, so that its key can be replaced. */
  constructor(pems: readonly string[], clock: Clock) {
    this.#keys = pems.map((pem) => createPublicKey(pem));
    this.#clock = clock;
  }

  /** @throws Fault `unauthenticated` */
  async read(token: string): Promise<Asserted> {
    // Loaded where a gateway is used only.
    const { jwtVerify } = await import('jose');
    const options = {
      issuer,
      audience,
      algorithms: ['EdDSA'],
      maxTokenAge: maxAgeSeconds,
      clockTolerance: clockSkewSeconds,
      requiredClaims: ['sub', 'exp', 'iat'],
      currentDate: new Date(this.#clock.nowMs()),
    };
    for (const key of this.#keys) {
      const verified = await jwtVerify(token, key, options).catch(() => undefined);
      if (verified === undefined) continue;
      const { sub, sid, gid } = verified.payload as { sub: string; sid?: unknown; gid?: unknown };
      if (sub === 'gateway') return { by: 'gateway' };
      if (!isId('usr', sub)) continue;
      if (typeof sid === 'string' && isId('ses', sid) && gid === undefined)
        return { by: 'session', userId: sub, sessionId: sid };
      if (typeof gid === 'string' && isId('grt', gid) && sid === undefined)
        return { by: 'grant', userId: sub, grantId: gid };
    }
    throw new Fault('unauthenticated', 'The assertion is not of our gateway, or it is too old.');
  }
}
