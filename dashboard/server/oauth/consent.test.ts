import { errors } from 'oidc-provider';
import { expect, test } from 'vitest';
import type { Visit } from '../visit.ts';
import { decide } from './consent.ts';
import type { OauthParts } from './oauthParts.ts';

const uid = 'a'.repeat(43);
const publicOrigin = 'https://desk.example.org';
const client_id = 'https://client.example/client.json';

/** Somebody is signed in, and looks at a request of a client that calls itself what `nameNow` says at that moment. */
function asked(nameNow: () => string) {
  const written: string[] = [];
  const who = { user: { id: 'usr_1' }, session: { id: 'ses_1' }, csrfToken: 'token' };
  const parts = {
    gateway: { config: { publicOrigin }, sessions: { of: async () => who } },
    calls: {
      allow: async ({ clientName }: { clientName: string }) => (written.push(clientName), { grant: { id: 'g' } }),
    },
    provider: {
      interactionDetails: async () => ({ uid, params: { client_id, redirect_uri: 'http://127.0.0.1/callback' } }),
      Client: { find: async () => ({ clientName: nameNow() }) },
      interactionResult: async () => `${publicOrigin}/oauth/authorize/${uid}`,
    },
  } as unknown as OauthParts;
  const send = async (said: object) => {
    const body = JSON.stringify(said);
    const headers = { origin: publicOrigin, 'x-csrf-token': 'token', 'content-length': String(body.length) };
    const request = new Request(publicOrigin, { method: 'POST', headers, body });
    return (await decide({ request } as Visit, parts, uid)).status;
  };
  return { send, written };
}
const allow = ['desktop:read'];

test('the name that is written down is the one that the person read', async () => {
  let name = 'Evil tool';
  const { send, written } = asked(() => name);
  const shown = name;
  name = 'Claude Code';
  expect(await send({ allow, name: shown })).toBe(409);
  expect(written).toEqual([]);
  expect(await send({ allow })).toBe(400);
  expect(await send({ allow, name })).toBe(200);
  expect(written).toEqual(['Claude Code']);
  // A no needs no name to be right.
  expect(await send({ allow: [], name: shown })).toBe(200);
  expect(written).toHaveLength(1);
});

test('a client whose document went away meanwhile is gone, and nothing broke', async () => {
  for (const error of [new errors.InvalidClient('fetch failed'), new errors.InvalidClientMetadata('no JSON')]) {
    const { send, written } = asked(() => {
      throw error;
    });
    expect(await send({ allow, name: 'x' })).toBe(404);
    expect(written).toEqual([]);
  }
  await expect(
    asked(() => {
      throw new Error('broken');
    }).send({ allow, name: 'x' }),
  ).rejects.toThrow('broken');
});
