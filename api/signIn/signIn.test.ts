import { existsSync, statSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertion, type SignedInAs, testGateway } from '../testing/gateway.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { hashOf } from './secret.ts';

/** People: how they come in, what they may do, and how that ends. */

let api: TestApi;
let gateway: ReturnType<typeof testGateway>;
let owner: SignedInAs;
beforeAll(async () => {
  api = await startTestApi();
  gateway = testGateway(api);
  owner = await gateway.owner();
});
afterAll(() => api.stop());

const get = (path: string, secret: string) => api.ask('GET', path, { secret });
const meOf = async (secret: string) =>
  (await get('/v1/me', secret)).json() as Promise<{ role: string; capabilities: string[] }>;
const invite = async (body: object, secret = owner.assertion) =>
  (
    await api.expect<{ token: string }>('createSignInLink', 201, {
      method: 'POST',
      path: '/v1/sign-in-links',
      body,
      secret,
    })
  ).token;

test('the first owner comes by the link that the start left, once', async () => {
  expect(owner.user.role).toBe('owner');
  const me = await api.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret: owner.assertion });
  expect(me).toMatchObject({ role: 'owner', key: null, user: { id: owner.user.id } });
  await expect(gateway.owner()).rejects.toThrow('403');
  expect(statSync(join(api.config.home, 'gateway-key')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(api.config.home, 'owner-link'))).toBe(true);
});

test('only a fresh assertion of the true gateway counts', async () => {
  const who = { sub: owner.user.id, sid: owner.session.id };
  const stranger = generateKeyPairSync('ed25519').privateKey;
  const bad = [
    await assertion(stranger, who),
    await assertion(gateway.key, { ...who, audience: 'other' }),
    await assertion(gateway.key, { ...who, issuer: 'other' }),
    await assertion(gateway.key, { ...who, issuedAgoSeconds: 120 }),
    await assertion(gateway.key, { ...who, issuedAgoSeconds: 120, seconds: 86_400 }),
    await assertion(gateway.key, { ...who, issuedAgoSeconds: -120 }),
    await assertion(gateway.key, { ...who, sid: 'ses_01k9x3v6m8e9t2q4r6s8v0w2y4' }),
    await assertion(gateway.key, { sub: 'usr_01k9x3v6m8e9t2q4r6s8v0w2y4', sid: owner.session.id }),
    await assertion(gateway.key, { sub: owner.user.id }),
    `${owner.assertion.split('.').slice(0, 2).join('.')}.`,
    `${btoa(JSON.stringify({ alg: 'none' })).replaceAll('=', '')}.${owner.assertion.split('.')[1]}.AA`,
  ];
  for (const [at, secret] of bad.entries()) expect((await get('/v1/me', secret)).status, String(at)).toBe(401);
  expect((await get('/v1/me', owner.assertion)).status).toBe(200);
});

test('what is for the gateway is for nobody else, and the gateway itself is nobody', async () => {
  const path = '/v1/sign-in/session';
  const body = { hash: hashOf(owner.secret) };
  for (const secret of [api.secret, owner.assertion])
    expect((await api.ask('POST', path, { body, secret })).status).toBe(401);
  const found = await gateway.ask(path, body);
  expect(await found.json()).toMatchObject({ session: { id: owner.session.id }, user: { role: 'owner' } });
  const itself = await assertion(gateway.key, { sub: 'gateway' });
  for (const each of ['/v1/me', '/v1/desktops', '/v1/sessions', '/v1/users'])
    expect((await get(each, itself)).status, each).toBe(401);
  // A session is a person's: no key lists or ends one.
  expect((await get('/v1/sessions', api.secret)).status).toBe(401);
});

test('a role says what may be done, from the next request on', async () => {
  const viewer = await gateway.byLink(await invite({ role: 'viewer', name: 'Vi' }));
  expect((await get('/v1/desktops', viewer.assertion)).status).toBe(200);
  const create = () => api.ask('POST', '/v1/desktops', { body: { name: 'x' }, secret: viewer.assertion });
  expect(await (await create()).json()).toMatchObject({ code: 'capability_missing', capability: 'desktop:create' });
  const change = { method: 'PATCH', path: `/v1/users/${viewer.user.id}`, body: { role: 'member' } };
  await api.expect('updateUser', 200, { ...change, secret: owner.assertion });
  expect((await meOf(viewer.assertion)).capabilities).toContain('desktop:create');
  expect((await api.ask('PATCH', change.path, { body: { role: 'admin' }, secret: viewer.assertion })).status).toBe(403);
});

test('no admin and no key makes, changes or removes an owner, and one owner stays', async () => {
  const admin = await gateway.byLink(await invite({ role: 'admin' }));
  for (const secret of [admin.assertion, api.secret]) {
    expect((await api.ask('POST', '/v1/sign-in-links', { body: { role: 'owner' }, secret })).status).toBe(403);
    expect((await api.ask('POST', '/v1/sign-in-links', { body: { userId: owner.user.id }, secret })).status).toBe(403);
    const path = `/v1/users/${owner.user.id}`;
    expect((await api.ask('PATCH', path, { body: { role: 'viewer' }, secret })).status).toBe(403);
    expect((await api.ask('DELETE', path, { secret })).status).toBe(403);
    const own = `/v1/users/${admin.user.id}`;
    expect((await api.ask('PATCH', own, { body: { role: 'owner' }, secret })).status).toBe(403);
  }
  const last = await api.ask('DELETE', `/v1/users/${owner.user.id}`, { secret: owner.assertion });
  expect(await last.json()).toMatchObject({ code: 'wrong_state' });
});

test('who is removed is out at once, with their sessions and keys; desktops and others stay', async () => {
  const member = await gateway.byLink(await invite({ role: 'member' }));
  const made = await api.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'mine', capabilities: ['desktop:read', 'desktop:create'] },
    secret: member.assertion,
  });
  expect((await get('/v1/desktops', made.secret)).status).toBe(200);
  await api.expect('removeUser', 204, {
    method: 'DELETE',
    path: `/v1/users/${member.user.id}`,
    secret: owner.assertion,
  });
  expect((await get('/v1/me', member.assertion)).status).toBe(401);
  expect((await get('/v1/desktops', made.secret)).status).toBe(401);
  expect((await gateway.ask('/v1/sign-in/session', { hash: hashOf(member.secret) })).status).toBe(404);
});

test('a key does no more than the one who created it may now, and a member sees only their own', async () => {
  const member = await gateway.byLink(await invite({ role: 'member' }));
  const made = await api.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'mine', capabilities: ['desktop:read', 'desktop:create'] },
    secret: member.assertion,
  });
  const { data } = (await (await get('/v1/keys', member.assertion)).json()) as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual([made.key.id]);
  const others = (await (await get('/v1/keys?limit=100', owner.assertion)).json()) as { data: { id: string }[] };
  expect(others.data.length).toBeGreaterThan(1);
  const foreign = others.data.find(({ id }) => id !== made.key.id)!;
  expect((await api.ask('DELETE', `/v1/keys/${foreign.id}`, { secret: member.assertion })).status).toBe(404);
  await api.expect('updateUser', 200, {
    method: 'PATCH',
    path: `/v1/users/${member.user.id}`,
    body: { role: 'viewer' },
    secret: owner.assertion,
  });
  expect((await meOf(made.secret)).capabilities).toEqual(['desktop:read']);
  expect((await api.ask('POST', '/v1/keys', { body: { name: 'k' }, secret: member.assertion })).status).toBe(403);
});

test('of two that come with one link one is let in', async () => {
  const token = await invite({ role: 'member' });
  const both = await Promise.allSettled([gateway.byLink(token), gateway.byLink(token)]);
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  await expect(gateway.byLink(`lbl_${'A'.repeat(43)}`)).rejects.toThrow('sign_in_refused');
});

test('a person who comes several times at the same moment, for the first time, is one person and let in each time', async () => {
  const times = <T>(come: (at: number) => Promise<T>) => Promise.all(Array.from({ length: 4 }, (_, at) => come(at)));
  const fresh = await times(() => gateway.byIdentity({ subject: '60', email: 'twin@example.org' }));
  expect(new Set(fresh.map(({ user }) => user.id)).size).toBe(1);
  // By several providers; and as somebody who was invited, where an older session ends, but none of these.
  const many = await times((at) =>
    gateway.byIdentity({ issuer: `https://${at}.example.net`, subject: '61', email: 'many@example.org' }),
  );
  expect(new Set(many.map(({ user }) => user.id)).size).toBe(1);
  const invited = await gateway.byLink(await invite({ role: 'admin', email: 'twin@example.net' }));
  const again = await times(() => gateway.byIdentity({ subject: '62', email: 'twin@example.net' }));
  expect(new Set(again.map(({ user }) => user.id))).toEqual(new Set([invited.user.id]));
  expect((await get('/v1/me', invited.assertion)).status).toBe(401);
  for (const { assertion: each } of [...fresh, ...many, ...again]) expect((await get('/v1/me', each)).status).toBe(200);
  // Of links for one new address one makes the account; the others are refused as they would be a moment later.
  const links = await times(() => invite({ role: 'member', email: 'linked@example.net' }));
  const used = await Promise.allSettled(links.map((token) => gateway.byLink(token)));
  const refused = used.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
  expect(refused).toHaveLength(3);
  for (const each of refused) expect(each).toContain('member already');
});

test('a provider brings in who was invited or whose domain is allowed, by verified address only', async () => {
  const ada = await gateway.byIdentity({ email: 'Ada@Example.org' });
  expect(ada.user).toMatchObject({ role: 'member', email: 'ada@example.org' });
  expect((await gateway.byIdentity({ email: 'renamed@elsewhere.net', emailVerified: false })).user.id).toBe(
    ada.user.id,
  );
  // Another identity with her verified address is her; with an unverified one it is nobody.
  const other = { issuer: 'https://other.example.net', subject: '9' };
  await expect(gateway.byIdentity({ ...other, emailVerified: false })).rejects.toThrow('sign_in_refused');
  expect((await gateway.byIdentity(other)).user.id).toBe(ada.user.id);
  await expect(gateway.byIdentity({ subject: '2', email: 'eve@example.net' })).rejects.toThrow('Nobody has invited');
  for (const email of ['eve@notexample.org', 'eve@example.org.evil.net', 'ada@example.org@evil.net'])
    await expect(gateway.byIdentity({ subject: '3', email })).rejects.toThrow(/^40[03] /);
  await gateway.byLink(await invite({ role: 'admin', email: 'Eve@example.net' }));
  expect((await gateway.byIdentity({ subject: '4', email: 'eve@example.net' })).user.role).toBe('admin');
});

test('a session begins anew at each sign-in, is listed, and ends alone or with all others', async () => {
  const first = await gateway.byIdentity({ subject: '50', email: 'bob@example.org' });
  const second = await gateway.byIdentity({ subject: '50' });
  const third = await gateway.byIdentity({ subject: '50', formerSessionHash: hashOf(second.secret) });
  expect(new Set([first.secret, second.secret, third.secret]).size).toBe(3);
  expect((await get('/v1/me', second.assertion)).status).toBe(401);
  const { data } = await api.expect<{ data: { id: string; current: boolean }[] }>('listSessions', 200, {
    method: 'GET',
    path: '/v1/sessions',
    secret: third.assertion,
  });
  expect(data).toMatchObject([
    { id: third.session.id, current: true },
    { id: first.session.id, current: false },
  ]);
  const foreign = `/v1/sessions/${owner.session.id}`;
  expect((await api.ask('DELETE', foreign, { secret: third.assertion })).status).toBe(404);
  await api.expect('revokeSession', 204, {
    method: 'DELETE',
    path: `/v1/sessions/${first.session.id}`,
    secret: third.assertion,
  });
  expect((await get('/v1/me', first.assertion)).status).toBe(401);
  await api.expect('revokeAllSessions', 204, { method: 'DELETE', path: '/v1/sessions', secret: third.assertion });
  expect((await get('/v1/me', third.assertion)).status).toBe(401);
  expect((await get('/v1/me', owner.assertion)).status).toBe(200);
});

test('an admin sees and ends the sessions of all people, but not those of owners; members see none', async () => {
  const admin = await gateway.byLink(await invite({ role: 'admin', name: 'Admin' }));
  const member = await gateway.byLink(await invite({ role: 'member', name: 'Member' }));
  type Page = { data: { id: string; current: boolean; user: { name: string } }[]; nextCursor: string | null };
  const list = (query = '') =>
    api.expect<Page>('listPeoplesSessions', 200, {
      method: 'GET',
      path: `/v1/users/sessions${query}`,
      secret: admin.assertion,
    });
  const { data } = await list('?limit=100');
  expect(data.find(({ id }) => id === admin.session.id)).toMatchObject({ current: true, user: { name: 'Admin' } });
  expect(data.find(({ id }) => id === member.session.id)).toMatchObject({ current: false, user: { name: 'Member' } });
  const first = await list('?limit=1');
  const second = await list(`?limit=1&cursor=${first.nextCursor}`);
  expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(data.slice(0, 2).map(({ id }) => id));
  const end = (id: string, secret: string) => api.ask('DELETE', `/v1/users/sessions/${id}`, { secret });
  expect((await get('/v1/users/sessions', member.assertion)).status).toBe(403);
  expect((await end(admin.session.id, member.assertion)).status).toBe(403);
  expect((await end(owner.session.id, admin.assertion)).status).toBe(403);
  expect((await get('/v1/me', owner.assertion)).status).toBe(200);
  await api.expect('endPersonsSession', 204, {
    method: 'DELETE',
    path: `/v1/users/sessions/${member.session.id}`,
    secret: admin.assertion,
  });
  expect((await get('/v1/me', member.assertion)).status).toBe(401);
  expect((await list('?limit=100')).data.map(({ id }) => id)).not.toContain(member.session.id);
  expect((await end('ses_01k9x3v6m8e9t2q4r6s8v0w2y4', admin.assertion)).status).toBe(404);
});

test('no secret lies in the database or in events', async () => {
  const { database } = api.api.services;
  const tables = ['sessions', 'signInLinks', 'events', 'idempotency', 'users'] as const;
  for (const table of tables) {
    const text = JSON.stringify(await database.read.selectFrom(table).selectAll().execute());
    expect(text, table).not.toMatch(/lb[sl]_[\w-]{40}/);
  }
});

test('no link leads further than its maker may go, at the moment it is used', async () => {
  const ask = (body: object, secret: string) => api.ask('POST', '/v1/sign-in-links', { body, secret });
  const tokenOf = async (response: Response) => ((await response.json()) as { token: string }).token;
  // By the address of somebody who is there already.
  const boss = await gateway.byLink(await invite({ role: 'admin', email: 'boss@example.net' }));
  await expect(gateway.byLink(await invite({ email: 'boss@example.net' }, api.secret))).rejects.toThrow(
    'member already',
  );
  // By somebody who was an admin when they made it.
  const admin = await gateway.byLink(await invite({ role: 'admin' }));
  const [kept, forBoss] = [
    await invite({ role: 'admin' }, admin.assertion),
    await ask({ userId: boss.user.id }, admin.assertion),
  ];
  await api.expect('updateUser', 200, {
    method: 'PATCH',
    path: `/v1/users/${boss.user.id}`,
    body: { role: 'owner' },
    secret: owner.assertion,
  });
  await expect(gateway.byLink(await tokenOf(forBoss))).rejects.toThrow('may not give it any more');
  await api.expect('updateUser', 200, {
    method: 'PATCH',
    path: `/v1/users/${boss.user.id}`,
    body: { role: 'admin' },
    secret: owner.assertion,
  });
  await api.expect('removeUser', 204, {
    method: 'DELETE',
    path: `/v1/users/${admin.user.id}`,
    secret: owner.assertion,
  });
  await expect(gateway.byLink(kept)).rejects.toThrow('may not give it any more');
  // By a key that was revoked, and by one that sees some desktops only.
  const make = (body: object) =>
    api.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
      method: 'POST',
      path: '/v1/keys',
      body,
      secret: owner.assertion,
    });
  const key = await make({ name: 'k', capabilities: ['users:write'] });
  const byKey = await invite({ role: 'member' }, key.secret);
  await api.expect('revokeKey', 204, { method: 'DELETE', path: `/v1/keys/${key.key.id}` });
  await expect(gateway.byLink(byKey)).rejects.toThrow('may not give it any more');
  const few = await make({ name: 'k', capabilities: ['users:write'], restriction: { labels: { team: 'lab' } } });
  expect((await ask({ role: 'viewer' }, few.secret)).status).toBe(403);
});

test('what a person’s key makes is that person’s: it shrinks, ends and is seen with them', async () => {
  const member = await gateway.byLink(await invite({ role: 'member' }));
  const make = (secret: string) =>
    api.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
      method: 'POST',
      path: '/v1/keys',
      body: { name: 'k', capabilities: ['keys:write', 'desktop:read', 'desktop:create'] },
      secret,
    });
  const first = await make(member.assertion);
  const second = await make(first.secret);
  const { data } = (await (await get('/v1/keys?limit=100', first.secret)).json()) as { data: { id: string }[] };
  expect(data.map(({ id }) => id).toSorted()).toEqual([first.key.id, second.key.id].toSorted());
  const foreign = (await (await get('/v1/keys?limit=100', owner.assertion)).json()) as { data: { id: string }[] };
  const other = foreign.data.find(({ id }) => !data.some((own) => own.id === id))!;
  expect((await api.ask('DELETE', `/v1/keys/${other.id}`, { secret: second.secret })).status).toBe(404);
  await api.expect('updateUser', 200, {
    method: 'PATCH',
    path: `/v1/users/${member.user.id}`,
    body: { role: 'viewer' },
    secret: owner.assertion,
  });
  expect((await meOf(second.secret)).capabilities).toEqual(['desktop:read']);
  await api.expect('removeUser', 204, {
    method: 'DELETE',
    path: `/v1/users/${member.user.id}`,
    secret: owner.assertion,
  });
  expect((await get('/v1/me', second.secret)).status).toBe(401);
});

test('who was removed does not come back by an address, and an address that is given to another leads nowhere', async () => {
  const one = await gateway.byLink(await invite({ role: 'member', email: 'gone@example.org' }));
  await api.expect('removeUser', 204, { method: 'DELETE', path: `/v1/users/${one.user.id}`, secret: owner.assertion });
  await expect(gateway.byIdentity({ subject: '70', email: 'gone@example.org' })).rejects.toThrow('no member');
  await gateway.byIdentity({ subject: '71', email: 'alice@example.org' });
  await expect(gateway.byIdentity({ subject: '72', email: 'alice@example.org' })).rejects.toThrow('somebody else');
  // Until a provider vouches for an address of an invitation, whoever used the link may be anybody.
  const planted = await gateway.byLink(await invite({ role: 'member', email: 'bob2@example.org' }));
  const bob = await gateway.byIdentity({ subject: '73', email: 'bob2@example.org' });
  expect(bob.user.id).toBe(planted.user.id);
  expect((await get('/v1/me', planted.assertion)).status).toBe(401);
  expect((await get('/v1/me', bob.assertion)).status).toBe(200);
});

test('events end with the session that follows them, and not with an assertion', async () => {
  const person = await gateway.byLink(await invite({ role: 'member' }));
  const left = new AbortController();
  const answer = await api.ask('GET', '/v1/events', { secret: person.assertion, signal: left.signal });
  const reader = answer.body!.getReader();
  await reader.read();
  await api.expect('revokeAllSessions', 204, { method: 'DELETE', path: '/v1/sessions', secret: person.assertion });
  const ended = async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read());
    return true;
  };
  expect(await ended()).toBe(true);
  left.abort();
});
