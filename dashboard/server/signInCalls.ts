import { Fault } from '@lebureau/kit/fault';
import type { Assertions } from './assertions.ts';

export interface User {
  id: string;
  name: string;
  email: string | null;
  role: 'owner' | 'admin' | 'member' | 'viewer';
}

export interface Found {
  session: { id: string; expiresAt: string };
  user: User;
}

export interface Begun extends Found {
  /** For the cookie. */
  secret: string;
}

export interface Browser {
  userAgent: string;
  ipAddress: string;
  /** SHA-256 of the cookie that the browser had: that session ends. */
  formerSessionHash: string | null;
}

export interface Identity {
  issuer: string;
  subject: string;
  name: string;
  email: string | null;
  emailVerified: boolean;
}

const limitMs = 15_000;

/** What only the gateway asks of the API. */
export class SignInCalls {
  readonly #apiUrl: string;
  readonly #assertions: Assertions;

  constructor(apiUrl: string, assertions: Assertions) {
    this.#apiUrl = apiUrl;
    this.#assertions = assertions;
  }

  /** @throws Fault `sign_in_refused` with a sentence for people, `unavailable` */
  byLink(token: string, browser: Browser): Promise<Begun> {
    return this.#post('/v1/sign-in/link', { token, ...browser });
  }

  /** @throws Fault as `byLink` */
  byIdentity(identity: Identity, browser: Browser): Promise<Begun> {
    return this.#post('/v1/sign-in/identity', { ...identity, ...browser });
  }

  /** Whose session this is; undefined when it ended or never was. @throws Fault `unavailable` */
  async find(hash: string): Promise<Found | undefined> {
    try {
      return await this.#post('/v1/sign-in/session', { hash });
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** Uses a ticket up. @throws Fault with the API's code, `unavailable` */
  enterPreview(from: {
    ticket: string;
    desktopId: string;
    port: number;
  }): Promise<{ userId: string; sessionId: string }> {
    return this.#post('/v1/sign-in/preview', from);
  }

  async #post<Answer>(path: string, body: object): Promise<Answer> {
    const authorization = `Bearer ${await this.#assertions.of('gateway')}`;
    const response = await fetch(this.#apiUrl + path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    }).catch((cause: unknown) => {
      throw new Fault('unavailable', 'The API cannot be reached.', { cause });
    });
    if (response.ok) return (await response.json()) as Answer;
    const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; hint?: string };
    if (response.status === 403 || response.status === 404 || problem.code === 'ticket_refused')
      throw new Fault(problem.code ?? 'not_found', problem.detail ?? '', { hint: problem.hint });
    throw new Fault('unavailable', 'The API did not answer as it should.', {
      cause: new Error(`${response.status} ${problem.code ?? ''}`),
    });
  }
}
