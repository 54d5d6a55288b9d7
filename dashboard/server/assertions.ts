import { createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { SignJWT } from 'jose';

const lifeSeconds = 60;
/** An assertion is signed anew before the API could find it old; one for a client goes through a call of a tool. */
const reusedMs = { session: 30_000, grant: 10_000 };
const rememberedMax = 10_000;

/** Who asks the API through us: somebody with a session, or a client that somebody allowed in. */
export type Subject = { userId: string } & ({ sessionId: string } | { grantId: string });

/** Signs for the API who somebody is. */
export class Assertions {
  readonly #key: KeyObject;
  readonly #clock: Clock;
  readonly #signed = new Map<string, { text: string; untilMs: number }>();

  constructor(privateKey: string, clock: Clock) {
    this.#key = createPrivateKey(privateKey);
    if (this.#key.asymmetricKeyType !== 'ed25519') throw new Error('LEBUREAU_GATEWAY_KEY wants an Ed25519 key in PEM');
    this.#clock = clock;
  }

  /** The header for what somebody who is signed in asks of the API. */
  async bearerOf({ user, session }: { user: { id: string }; session: { id: string } }): Promise<string> {
    return `Bearer ${await this.of({ userId: user.id, sessionId: session.id })}`;
  }

  async of(subject: Subject | 'gateway'): Promise<string> {
    const name = nameOf(subject);
    const nowMs = this.#clock.monotonicMs();
    const known = this.#signed.get(name);
    if (known !== undefined && known.untilMs > nowMs) return known.text;
    const text = await this.#sign(subject);
    if (this.#signed.size >= rememberedMax) this.#signed.clear();
    const kind = name.startsWith('grt_') ? 'grant' : 'session';
    this.#signed.set(name, { text, untilMs: nowMs + reusedMs[kind] });
    return text;
  }

  /** A key of its own for each purpose, which follows from ours: the gateway keeps nothing. */
  derived(purpose: string): Uint8Array {
    const secret = this.#key.export({ type: 'pkcs8', format: 'der' });
    return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), `lebureau gateway ${purpose}`, 32));
  }

  #sign(subject: Subject | 'gateway'): Promise<string> {
    const seconds = Math.floor(this.#clock.nowMs() / 1000);
    const sub = subject === 'gateway' ? subject : subject.userId;
    return new SignJWT(claimsOf(subject))
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuer('lebureau-gateway')
      .setAudience('lebureau-api')
      .setSubject(sub)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + lifeSeconds)
      .sign(this.#key);
  }
}

function nameOf(subject: Subject | 'gateway'): string {
  if (subject === 'gateway') return subject;
  return 'grantId' in subject ? subject.grantId : subject.sessionId;
}

function claimsOf(subject: Subject | 'gateway'): { sid?: string; gid?: string } {
  if (subject === 'gateway') return {};
  return 'grantId' in subject ? { gid: subject.grantId } : { sid: subject.sessionId };
}
