import type { NodeDouble } from '@lebureau/test/doubles/node';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertion, type SignedInAs, testGateway } from '../testing/gateway.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { hashOf } from '../signIn/secret.ts';
import { ofGrantMax, ofStrangersMax } from './records.ts';
import { purgeGrants } from './operations.ts';
import { selectGrantOf } from './store.ts';

/** What people allow MCP clients, and how that shrinks and ends. */

interface Found {
  grant: { id: string; clientName: string; capabilities: string[] };
  userId: string;
}

let api: TestApi;
let gateway: ReturnType<typeof testGateway>;
let owner: SignedInAs;
let node: NodeDouble;
beforeAll(async () => {
  api = await startTestApi();
  gateway = testGateway(api);
  owner = await gateway.owner();
  node = await api.node();
});
afterAll(() => api.stop());

const some = ['desktop:read', 'desktop:create', 'files:write'];
let subjects = 0;
const newcomer = async (role: string): Promise<SignedInAs> => {
  const subject = `s${(subjects += 1)}`;
  const who = await gateway.byIdentity({ subject, email: `${subject}@example.org` });
  await patch(who, role);
  return who;
};
const patch = (who: SignedInAs, role: string) =>
  api.expect('updateUser', 200, {
    method: 'PATCH',
    path: `/v1/users/${who.user.id}`,
    body: { role },
    secret: owner.assertion,
  });
const wishOf = (who: SignedInAs, capabilities: string[] = some) => ({
  userId: who.user.id,
  sessionId: who.session.id,
  clientId: 'client-1',
  clientName: 'An agent',
  redirectHost: '127.0.0.1',
  resource: 'https://office.example.org/mcp',
  capabilities,
});
const allow = async (who: SignedInAs, capabilities?: string[]): Promise<Found> => {
  const response = await gateway.ask('/v1/oauth/grants', wishOf(who, capabilities));
  expect(response.status).toBe(201);
  return (await response.json()) as Found;
};
const asClient = async ({ grant, userId }: Found) => assertion(gateway.key, { sub: userId, gid: grant.id });
const meOf = async (secret: string) => {
  const response = await api.ask('GET', '/v1/me', { secret });
  return response.ok ? ((await response.json()) as { capabilities: string[] }).capabilities : response.status;
};
const keep = (kind: string, name: string, grantId: string | null) =>
  gateway.ask('/v1/oauth/records', {
    kind,
    hash: hashOf(name),
    grantId,
    payload: { kept: name },
    expiresInSeconds: 600,
  });
const record = (way: string, kind: string, name: string) =>
  gateway.ask(`/v1/oauth/records/${way}`, { kind, hash: hashOf(name) });
const revocationsOf = async ({ grant }: Found) => {
  const events = await api.api.services.database.read
    .selectFrom('events')
    .select(['actorType', 'dataJson'])
    .where('type', '=', 'grant.revoked')
    .execute();
  return events.filter(({ dataJson }) => dataJson.includes(grant.id)).map(({ actorType }) => actorType);
};
const accessOf = (name: string) => gateway.ask('/v1/oauth/access', { kind: 'access', hash: hashOf(name) });

test('a client does what it was allowed, under its own name, and its person sees and ends that', async () => {
  const member = await newcomer('member');
  const found = await allow(member);
  const secret = await asClient(found);
  const me = await api.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret });
  expect(me).toMatchObject({ grant: { clientName: 'An agent' }, key: null, capabilities: some, role: 'member' });
  expect(me).toMatchObject({ user: { id: member.user.id } });
  // No person's own things, and nothing that was not allowed.
  for (const path of ['/v1/sessions', '/v1/grants'])
    expect((await api.ask('GET', path, { secret })).status, path).toBe(401);
  expect((await api.ask('GET', '/v1/keys', { secret })).status).toBe(403);
  const made = await api.ask('POST', '/v1/desktops', { body: { name: 'one' }, secret });
  expect(made.status).toBe(201);
  const event = await api.api.services.database.read
    .selectFrom('events')
    .select(['actorType', 'actorId', 'actorName'])
    .where('type', '=', 'desktop.created')
    .executeTakeFirst();
  expect(event).toEqual({ actorType: 'client', actorId: found.grant.id, actorName: 'An agent' });
  const list = (who: SignedInAs) =>
    api.expect<{ data: { id: string }[] }>('listGrants', 200, {
      method: 'GET',
      path: '/v1/grants',
      secret: who.assertion,
    });
  expect((await list(member)).data.map(({ id }) => id)).toEqual([found.grant.id]);
  expect((await list(owner)).data).toEqual([]);
  const path = `/v1/grants/${found.grant.id}`;
  expect((await api.ask('DELETE', path, { secret: owner.assertion })).status).toBe(404);
  await api.expect('revokeGrant', 204, { method: 'DELETE', path, secret: member.assertion });
  expect(await meOf(secret)).toBe(401);
  expect((await list(member)).data).toEqual([]);
});

test('nobody gives more than they have, and nothing of people and keys is given at all', async () => {
  const viewer = await newcomer('viewer');
  expect((await gateway.ask('/v1/oauth/grants', wishOf(viewer))).status).toBe(403);
  expect((await gateway.ask('/v1/oauth/grants', wishOf(owner, ['keys:write']))).status).toBe(400);
  expect((await gateway.ask('/v1/oauth/grants', { ...wishOf(viewer), userId: owner.user.id })).status).toBe(404);
  for (const path of ['/v1/oauth/grants', '/v1/oauth/access', '/v1/oauth/records/find'])
    for (const secret of [api.secret, owner.assertion])
      expect((await api.ask('POST', path, { body: {}, secret })).status, path).toBe(401);
});

test('a demotion shrinks, a promotion gives back no more than was allowed, and a removal ends', async () => {
  const member = await newcomer('member');
  const found = await allow(member);
  const secret = await asClient(found);
  await patch(member, 'viewer');
  expect(await meOf(secret)).toEqual(['desktop:read']);
  await patch(member, 'admin');
  expect(await meOf(secret)).toEqual(some);
  await keep('access', 'token of the removed', found.grant.id);
  expect((await accessOf('token of the removed')).status).toBe(200);
  const path = `/v1/users/${member.user.id}`;
  await api.expect('removeUser', 204, { method: 'DELETE', path, secret: owner.assertion });
  expect(await meOf(secret)).toBe(401);
  expect((await accessOf('token of the removed')).status).toBe(404);
  const good = await gateway.ask('/v1/oauth/grants/good', { grantIds: [found.grant.id] });
  expect(await good.json()).toEqual({ grantIds: [] });
});

test('an assertion names a grant of that person, and never a session besides', async () => {
  const { grant } = await allow(owner);
  const of = (wish: object) => assertion(gateway.key, { sub: owner.user.id, gid: grant.id, ...wish });
  expect(await meOf(await of({}))).toEqual(some);
  for (const wish of [
    { sub: 'usr_01k9x3v6m8e9t2q4r6s8v0w2y4' },
    { sid: owner.session.id },
    { gid: 'grt_01k9x3v6m8e9t2q4r6s8v0w2y4' },
    { audience: 'https://office.example.org/mcp' },
    { issuedAgoSeconds: 120 },
  ])
    expect(await meOf(await of(wish)), JSON.stringify(wish)).toBe(401);
});

test('what is used up twice ends the grant and everything under it; of many at once one is first', async () => {
  const found = await allow(owner);
  await keep('refresh', 'first refresh', found.grant.id);
  await keep('access', 'its access', found.grant.id);
  expect(await (await record('find', 'refresh', 'first refresh')).json()).toEqual({
    payload: { kept: 'first refresh' },
    consumed: false,
  });
  const answers = await Promise.all(Array.from({ length: 5 }, () => record('consume', 'refresh', 'first refresh')));
  const firsts = await Promise.all(
    answers.map(async (answer) => (answer.ok ? ((await answer.json()) as { first: boolean }).first : answer.status)),
  );
  expect(firsts.filter((first) => first === true)).toHaveLength(1);
  // One ends the grant, and those that looked at the same moment; the others find nothing any more.
  expect(firsts.filter((first) => first === false).length).toBeGreaterThanOrEqual(1);
  expect(await revocationsOf(found)).toHaveLength(1);
  expect((await accessOf('its access')).status).toBe(404);
  expect(await meOf(await asClient(found))).toBe(401);
  expect((await keep('access', 'too late', found.grant.id)).status).toBe(404);
  expect((await record('find', 'refresh', 'first refresh')).status).toBe(404);
});

const purgeAt = (nowMs: number) =>
  api.api.services.database.write((write) => purgeGrants(api.api.services, write, { createdMs: 0, usedMs: 0, nowMs }));

test('who made a desktop is called by name in the event', async () => {
  const member = await newcomer('member');
  const made = await api.ask('POST', '/v1/desktops', { body: { name: 'named' }, secret: member.assertion });
  const { id } = (await made.json()) as { id: string };
  const events = await api.expect<{ data: { actor: object }[] }>('listDesktopEvents', 200, {
    method: 'GET',
    path: `/v1/desktops/${id}/events`,
  });
  expect(events.data.at(-1)!.actor).toEqual({ type: 'user', id: member.user.id, name: member.user.name });
});

test('a grant that runs out is told of as one that was taken back', async () => {
  const found = await allow(await newcomer('member'));
  await keep('access', 'of one that runs out', found.grant.id);
  const { database } = api.api.services;
  const nowMs = api.api.services.clock.nowMs();
  const purge = (usedMs: number) =>
    database.write((write) => purgeGrants(api.api.services, write, { createdMs: 0, usedMs, nowMs }));
  await purge(nowMs - 1000);
  expect(await revocationsOf(found)).toEqual([]);
  await database.write(({ db }) =>
    db.updateTable('grants').set({ lastUsedMs: 1 }).where('id', '=', found.grant.id).execute(),
  );
  await purge(2);
  expect(await revocationsOf(found)).toEqual(['system']);
});

const dayMs = 86_400_000;
const keepClient = (name: string) =>
  gateway.ask('/v1/oauth/records', {
    kind: 'client',
    hash: hashOf(name),
    grantId: null,
    payload: {},
    expiresInSeconds: 86_400,
  });
const isKept = async (name: string) => (await record('find', 'client', name)).ok;

test('a client that registered and was never let in is forgotten after a day, one that was is not', async () => {
  await keepClient('client-1');
  await keepClient('client-never-let-in');
  await allow(owner);
  const purgeAfter = (ms: number) => purgeAt(api.api.services.clock.nowMs() + ms);
  await purgeAfter(dayMs / 2);
  expect([await isKept('client-1'), await isKept('client-never-let-in')]).toEqual([true, true]);
  await purgeAfter(dayMs + 1000);
  expect([await isKept('client-1'), await isKept('client-never-let-in')]).toEqual([true, false]);
});

test('the document of a client is kept for a day where somebody let it in, and else for little more than an hour', async () => {
  const { database, clock } = api.api.services;
  const names = { before: 'https://before.example/', after: 'https://after.example/', never: 'https://never.example/' };
  const keepDocument = (name: string) =>
    gateway.ask('/v1/oauth/records', {
      kind: 'document',
      hash: hashOf(name),
      grantId: null,
      payload: { client_id: name },
      expiresInSeconds: 86_400,
    });
  const letIn = (name: string) => gateway.ask('/v1/oauth/grants', { ...wishOf(owner), clientId: name });
  await letIn(names.before);
  for (const name of Object.values(names)) expect((await keepDocument(name)).status).toBe(204);
  await letIn(names.after);
  const leftMs = async (name: string) => {
    const query = database.read.selectFrom('oauthRecords').select('expiresMs').where('hash', '=', hashOf(name));
    return (await query.executeTakeFirstOrThrow()).expiresMs - clock.nowMs();
  };
  expect(await leftMs(names.before)).toBeGreaterThan(dayMs - 60_000);
  expect(await leftMs(names.after)).toBeGreaterThan(dayMs - 60_000);
  expect(await leftMs(names.never)).toBeLessThanOrEqual(dayMs / 12);
  await purgeAt(clock.nowMs() + dayMs + 1000);
  for (const name of Object.values(names)) expect((await record('find', 'document', name)).status, name).toBe(404);
});

test('whether somebody let a client in is not looked for among all grants', async () => {
  const { database } = api.api.services;
  const isSqlite = database.flavour === 'sqlite';
  const plan = await database.write(async ({ db }) => {
    // A few rows Postgres reads one by one when it may.
    if (!isSqlite) await sql`set local enable_seqscan = off`.execute(db);
    return selectGrantOf(db, 'client-1').explain(undefined, isSqlite ? sql`query plan` : undefined);
  });
  expect(JSON.stringify(plan)).toContain('grantsOfClient');
});

test('what was allowed and nobody came for is forgotten after an hour, and nothing else is', async () => {
  const [unclaimed, claimed] = [await allow(owner), await allow(owner)];
  await gateway.ask('/v1/oauth/records', {
    kind: 'refresh',
    hash: hashOf('claimed'),
    grantId: claimed.grant.id,
    payload: {},
    expiresInSeconds: 86_400,
  });
  const goodAfter = async (minutes: number) => {
    await purgeAt(api.api.services.clock.nowMs() + minutes * 60_000);
    const answer = await gateway.ask('/v1/oauth/grants/good', { grantIds: [unclaimed.grant.id, claimed.grant.id] });
    return ((await answer.json()) as { grantIds: string[] }).grantIds.toSorted();
  };
  expect(await goodAfter(59)).toEqual([unclaimed.grant.id, claimed.grant.id].toSorted());
  expect(await revocationsOf(unclaimed)).toEqual([]);
  expect(await goodAfter(61)).toEqual([claimed.grant.id]);
  // Whoever follows what is allowed hears the end of it, once.
  await goodAfter(62);
  expect(await revocationsOf(unclaimed)).toEqual(['system']);
  expect(await revocationsOf(claimed)).toEqual([]);
});

test('however many register, what they leave behind is bounded, and nobody who was let in pays for it', async () => {
  await keepClient('client-1');
  await allow(owner);
  const { database, clock } = api.api.services;
  const soonMs = clock.nowMs() + dayMs / 2;
  await database.write(async ({ db }) => {
    for (let at = 0; at < ofStrangersMax; at += 1000) {
      const rows = Array.from({ length: 1000 }, (_, n) => ({
        kind: 'client',
        hash: `stranger ${at + n}`,
        grantId: null,
        payloadJson: '{}',
        expiresMs: soonMs + at + n,
        consumedMs: null,
      }));
      await db.insertInto('oauthRecords').values(rows).execute();
    }
  });
  await keepClient('who came last');
  await keepClient('who came at the very last');
  const kept = await database.read
    .selectFrom('oauthRecords')
    .select('hash')
    .where('kind', '=', 'client')
    .where('expiresMs', '<=', clock.nowMs() + dayMs)
    .orderBy('expiresMs')
    .execute();
  expect([kept.length, kept[0]!.hash]).toEqual([ofStrangersMax, 'stranger 2']);
  for (const name of ['client-1', 'who came last', 'who came at the very last'])
    expect(await isKept(name), name).toBe(true);
});

test('of a grant’s refresh tokens the newest are kept; a forgotten one is refused, and a kept one that comes twice ends all', async () => {
  const found = await allow(owner);
  const other = await allow(owner);
  await keep('refresh', 'of another grant', other.grant.id);
  await keep('access', 'its access token', found.grant.id);
  const { database, clock } = api.api.services;
  // As if each was made a moment before the next, all of them used up.
  const soonMs = clock.nowMs() + 500_000;
  const rows = Array.from({ length: ofGrantMax }, (_, n) => ({
    kind: 'refresh',
    hash: hashOf(`turn ${n}`),
    grantId: found.grant.id,
    payloadJson: '{}',
    expiresMs: soonMs + n,
    consumedMs: soonMs,
  }));
  await database.write(({ db }) => db.insertInto('oauthRecords').values(rows).execute());
  await keep('refresh', 'the newest', found.grant.id);
  const kept = await database.read
    .selectFrom('oauthRecords')
    .select('hash')
    .where('grantId', '=', found.grant.id)
    .where('kind', '=', 'refresh')
    .execute();
  expect(kept).toHaveLength(ofGrantMax);
  const isThere = async (kind: string, name: string) => (await record('find', kind, name)).ok;
  expect([await isThere('refresh', 'turn 0'), await isThere('refresh', 'turn 1')]).toEqual([false, true]);
  for (const [kind, name] of [
    ['refresh', 'the newest'],
    ['refresh', 'of another grant'],
    ['access', 'its access token'],
  ] as const)
    expect(await isThere(kind, name), name).toBe(true);
  expect((await record('consume', 'refresh', 'turn 0')).status).toBe(404);
  expect(await meOf(await asClient(found))).toEqual(some);
  expect(await (await record('consume', 'refresh', 'turn 1')).json()).toEqual({ first: false });
  expect(await meOf(await asClient(found))).toBe(401);
  expect(await isThere('refresh', 'the newest')).toBe(false);
});

test('a client can be allowed to look alone', async () => {
  const viewer = await newcomer('viewer');
  const secret = await asClient(await allow(viewer, ['desktop:view']));
  expect(await meOf(secret)).toEqual(['desktop:view']);
  const made = { method: 'POST', path: '/v1/desktops', body: { network: 'none' } };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, made);
  await api.ask('GET', `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=20`);
  const statusOf = async (method: string, path: string, body?: object) =>
    (await api.ask(method, `/v1/desktops/${id}${path}`, { secret, body })).status;
  expect(await statusOf('GET', '/screenshot')).toBe(200);
  expect(await statusOf('GET', '/windows')).toBe(200);
  expect(await statusOf('GET', '')).toBe(403);
  expect(await statusOf('GET', '/clipboard')).toBe(403);
  expect(await statusOf('POST', '/windows/0x3a00007/focus')).toBe(403);
});

test('the end of a grant cuts what its client runs in a desktop', async () => {
  const found = await allow(owner, ['desktop:control']);
  const made = { method: 'POST', path: '/v1/desktops', body: { network: 'none' } };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, made);
  await api.ask('GET', `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=20`);
  const reached = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  node.guest.answer = async (request) => {
    reached.resolve();
    request.signal.addEventListener('abort', () => told.resolve());
    await told.promise;
    return undefined;
  };
  const secret = await asClient(found);
  const running = api.ask('POST', `/v1/desktops/${id}/exec`, { secret, body: { command: 'sleep 600' } });
  await reached.promise;
  const path = `/v1/grants/${found.grant.id}`;
  await api.expect('revokeGrant', 204, { method: 'DELETE', path, secret: owner.assertion });
  await told.promise;
  expect((await running).status).toBe(504);
});

test('no secret stands in the database, only its hash', async () => {
  const { grant } = await allow(owner);
  await keep('access', 'a very secret token', grant.id);
  const rows = await api.api.services.database.read.selectFrom('oauthRecords').selectAll().execute();
  expect(rows.map(({ hash }) => hash)).toContain(hashOf('a very secret token'));
  const ours = rows.filter(({ hash }) => !hash.startsWith('stranger '));
  expect(ours.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true);
});
