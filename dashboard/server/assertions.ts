import { createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { SignJWT } from 'jose';

const lifeSeconds = 60;
/** An assertion is signed anew before the API could find it old. */
const reusedMs = 30_000;
const rememberedMax = 10_000;

/** Who asks the API through us: the gateway itself, or somebody with a session. */
export interface Subject {
  userId: string;
  sessionId: string;
}

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

  async of(subject: Subject | 'gateway'): Promise<string> {
    const name = subject === 'gateway' ? subject : subject.sessionId;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#signed.get(name);
    if (known !== undefined && known.untilMs > nowMs) return known.text;
    const text = await this.#sign(subject);
    if (this.#signed.size >= rememberedMax) this.#signed.clear();
    this.#signed.set(name, { text, untilMs: nowMs + reusedMs });
    return text;
  }

  /** A key of its own for each purpose, which follows from ours: the gateway keeps nothing. */
  derived(purpose: string): Uint8Array {
    const secret = this.#key.export({ type: 'pkcs8', format: 'der' });
    return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), `lebureau gateway ${purpose}`, 32));
  }

  #sign(subject: Subject | 'gateway'): Promise<string> {
    const seconds = Math.floor(this.#clock.nowMs() / 1000);
    const [sub, claims] = subject === 'gateway' ? [subject, {}] : [subject.userId, { sid: subject.sessionId }];
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuer('lebureau-gateway')
      .setAudience('lebureau-api')
      .setSubject(sub)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + lifeSeconds)
      .sign(this.#key);
  }
}
