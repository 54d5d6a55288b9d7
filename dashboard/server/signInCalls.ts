import { type AskApi, orNone } from './askApi.ts';

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

/** What only the gateway asks of the API about people. */
export class SignInCalls {
  readonly #ask: AskApi;

  constructor(ask: AskApi) {
    this.#ask = ask;
  }

  /** @throws Fault `sign_in_refused` with a sentence for people, `unavailable` */
  byLink(token: string, browser: Browser): Promise<Begun> {
    return this.#ask('/v1/sign-in/link', { token, ...browser });
  }

  /** @throws Fault as `byLink` */
  byIdentity(identity: Identity, browser: Browser): Promise<Begun> {
    return this.#ask('/v1/sign-in/identity', { ...identity, ...browser });
  }

  /** Whose session this is; undefined when it ended or never was. @throws Fault `unavailable` */
  find(hash: string): Promise<Found | undefined> {
    return orNone(this.#ask('/v1/sign-in/session', { hash }));
  }

  /** Uses a ticket up. @throws Fault with the API's code, `unavailable` */
  enterPreview(from: {
    ticket: string;
    desktopId: string;
    port: number;
  }): Promise<{ userId: string; sessionId: string }> {
    return this.#ask('/v1/sign-in/preview', from);
  }
}
