import { systemClock } from '@lebureau/kit/clock';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { isSecret, newSecret } from './secret.ts';

interface Created {
  key: { id: string; lastFour: string; capabilities: string[]; expiresAt: string | null };
  secret?: string;
}

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await api.node();
});
afterAll(() => api.stop());

const create = (body: object, options: { secret?: string; headers?: Record<string, string> } = {}) =>
  api.expect<Created>('createKey', 201, { method: 'POST', path: '/v1/keys', body: { name: 'k', ...body }, ...options });

test('a secret is recognised by its checksum', () => {
  const secret = newSecret();
  expect(isSecret(secret)).toBe(true);
  expect(secret).toMatch(/^lb_live_[0-9A-Za-z]{36}$/);
  for (let at = 8; at < secret.length; at++) {
    const other = secret[at] === 'a' ? 'b' : 'a';
    expect(isSecret(secret.slice(0, at) + other + secret.slice(at + 1))).toBe(false);
  }
});

test('a key does what its capabilities say and names the one that is missing', async () => {
  const { secret, key } = await create({});
  expect(key.capabilities).toEqual(['desktop:read', 'desktop:chat']);
  await api.expect('listDesktops', 200, { method: 'GET', path: '/v1/desktops', secret });
  expect(await api.expect('createDesktop', 403, { method: 'POST', path: '/v1/desktops', secret })).toMatchObject({
    code: 'capability_missing',
    capability: 'desktop:create',
  });
  const me = await api.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret });
  expect(me).toMatchObject({ key: { id: key.id, lastFour: secret!.slice(-4) }, capabilities: key.capabilities });
});

test('a revoked key stops at once, an unknown or mistyped one never works', async () => {
  const { secret, key } = await create({});
  await api.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret });
  await api.expect('revokeKey', 204, { method: 'DELETE', path: `/v1/keys/${key.id}` });
  await api.expect('getMe', 401, { method: 'GET', path: '/v1/me', secret });
  await api.expect('revokeKey', 204, { method: 'DELETE', path: `/v1/keys/${key.id}` });
  await api.expect('getMe', 401, { method: 'GET', path: '/v1/me', secret: newSecret() });
  await api.expect('getMe', 401, { method: 'GET', path: '/v1/me', secret: 'lb_live_short' });
  await api.expect('revokeKey', 404, { method: 'DELETE', path: '/v1/keys/key_01k9x3v6m8e9t2q4r6s8v0w2y4' });
});

test('an expiry lies in the future', async () => {
  await api.expect('createKey', 400, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'k', expiresAt: '2020-01-01T00:00:00Z' },
  });
  let laterMs = 0;
  const timed = await startTestApi({ clock: { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs } });
  const body = { name: 'k', expiresAt: new Date(systemClock.nowMs() + 600_000).toISOString() };
  const { secret } = await timed.expect<{ secret: string }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body,
  });
  await timed.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret });
  laterMs = 601_000;
  await timed.expect('getMe', 401, { method: 'GET', path: '/v1/me', secret });
  await timed.stop();
});

test('a key creates only keys that may less', async () => {
  const parent = await create({
    capabilities: ['keys:write', 'desktop:read', 'desktop:create'],
    restriction: { labels: { team: 'a' } },
  });
  const as = { secret: parent.secret };
  expect(
    await api.expect('createKey', 403, {
      method: 'POST',
      path: '/v1/keys',
      body: { name: 'k', capabilities: ['desktop:destroy'] },
      ...as,
    }),
  ).toMatchObject({ capability: 'desktop:destroy' });
  await api.expect('createKey', 403, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'k', restriction: { labels: { team: 'b' } } },
    ...as,
  });
  const child = await create({ capabilities: ['desktop:read'] }, as);
  expect(child.key).toMatchObject({ restriction: { labels: { team: 'a' } } });
  const { data } = await api.expect<{ data: { id: string }[] }>('listKeys', 200, {
    method: 'GET',
    path: '/v1/keys',
    ...as,
  });
  expect(data.map((key) => key.id).toSorted()).toEqual([parent.key.id, child.key.id].toSorted());
});

test('no key outlives the key that created it', async () => {
  const nowMs = api.api.services.clock.nowMs();
  const at = (ms: number) => new Date(nowMs + ms).toISOString();
  const parent = await create({ capabilities: ['keys:write', 'desktop:read'], expiresAt: at(60_000) });
  const as = { secret: parent.secret };
  const child = await create({ capabilities: ['keys:write', 'desktop:read'] }, as);
  expect(child.key.expiresAt).toBe(at(60_000));
  expect((await create({ expiresAt: at(120_000) }, { secret: child.secret })).key.expiresAt).toBe(at(60_000));
  expect((await create({ expiresAt: at(30_000) }, as)).key.expiresAt).toBe(at(30_000));
  expect((await create({})).key.expiresAt).toBeNull();
});

test('for a restricted key other desktops do not exist', async () => {
  const { secret } = await create({
    capabilities: ['desktop:read', 'desktop:create', 'desktop:lifecycle', 'desktop:destroy'],
    restriction: { labels: { team: 'a' } },
  });
  const mine = await api.expect<{ id: string; labels: object }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { labels: { x: 'y' } },
    secret,
  });
  expect(mine.labels).toEqual({ x: 'y', team: 'a' });
  const other = await api.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' });
  for (const [operationId, method, path] of [
    ['getDesktop', 'GET', ''],
    ['stopDesktop', 'POST', '/stop'],
    ['deleteDesktop', 'DELETE', ''],
  ] as const) {
    await api.expect(operationId, 404, { method, path: `/v1/desktops/${other.id}${path}`, secret });
  }
  const list = await api.expect<{ data: { id: string }[] }>('listDesktops', 200, {
    method: 'GET',
    path: '/v1/desktops',
    secret,
  });
  expect(list.data.map((each) => each.id)).toEqual([mine.id]);
  const one = await create({ capabilities: ['desktop:read'], restriction: { desktopIds: [other.id] } });
  await api.expect('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${other.id}`, secret: one.secret });
  await api.expect('getDesktop', 404, { method: 'GET', path: `/v1/desktops/${mine.id}`, secret: one.secret });
});

test('a replay of key creation has no secret', async () => {
  const headers = { 'idempotency-key': 'key-once' };
  const first = await create({}, { headers });
  const second = await create({}, { headers });
  expect(first.secret).toBeDefined();
  expect(second).toEqual({ key: first.key });
});
