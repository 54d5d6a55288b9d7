import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { SignJWT } from 'jose';
import type { TestApi } from './testApi.ts';

const browser = { userAgent: 'test', ipAddress: '127.0.0.1' };

export interface SignedInAs {
  secret: string;
  session: { id: string };
  user: { id: string; name: string; role: string; email: string | null };
  /** An assertion of this session, good for a minute. */
  assertion: string;
}

/** What the gateway does, for tests of the API: it signs assertions with the key in the home folder. */
export function testGateway(api: TestApi) {
  const key = createPrivateKey(readFileSync(join(api.config.home, 'gateway-key'), 'utf8'));
  const ask = async (path: string, body: object) =>
    api.ask('POST', path, { body, secret: await assertion(key, { sub: 'gateway' }) });
  const begin = async (response: Response): Promise<SignedInAs> => {
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    const made = (await response.json()) as Omit<SignedInAs, 'assertion'>;
    return { ...made, assertion: await assertion(key, { sub: made.user.id, sid: made.session.id }) };
  };
  return {
    key,
    ask,
    byLink: async (token: string, more: object = {}) =>
      begin(await ask('/v1/sign-in/link', { token, ...browser, ...more })),
    byIdentity: async (who: object) => begin(await ask('/v1/sign-in/identity', { ...somebody, ...browser, ...who })),
    owner: async () =>
      begin(
        await ask('/v1/sign-in/link', {
          token: readFileSync(join(api.config.home, 'owner-link'), 'utf8').trim(),
          ...browser,
        }),
      ),
  };
}

const somebody = {
  issuer: 'https://issuer.example.org',
  subject: '1',
  name: 'Ada',
  email: 'ada@example.org',
  emailVerified: true,
};

export interface AssertionWish {
  sub: string;
  sid?: string;
  gid?: string;
  issuer?: string;
  audience?: string;
  seconds?: number;
  issuedAgoSeconds?: number;
}

export function assertion(key: KeyObject, wish: AssertionWish): Promise<string> {
  const {
    sub,
    sid,
    gid,
    issuer = 'lebureau-gateway',
    audience = 'lebureau-api',
    seconds = 60,
    issuedAgoSeconds = 0,
  } = wish;
  const issued = Math.floor(systemClock.nowMs() / 1000) - issuedAgoSeconds;
  return new SignJWT({ ...(sid === undefined ? {} : { sid }), ...(gid === undefined ? {} : { gid }) })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject(sub)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(issued)
    .setExpirationTime(issued + seconds)
    .sign(key);
}
