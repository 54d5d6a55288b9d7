import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type Service, startService } from '../system/product.ts';
import { asPage, cookieOf, postLink, signInAsOwner, signInByLink, type Visitor, visitorOf } from './browser.ts';
import { describePreviews } from './describePreviews.ts';
import { rawHttp } from './rawHttp.ts';

/** The door under attack: what comes from outside reaches the API only as whom it is. */

let service: Service;
let owner: Visitor;
let port: number;
beforeAll(async () => {
  service = await startService({
    programs: ['api', 'mcp', 'gateway'],
    gateway: () => ({ LEBUREAU_PREVIEW_DOMAIN: 'preview.localhost' }),
  });
  owner = await signInAsOwner(service);
  port = Number(new URL(service.publicUrl).port);
});
afterAll(() => service?.close());

const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;
const invite = async (): Promise<Visitor> => {
  const made = await asPage(service, owner, { method: 'POST', path: '/v1/sign-in-links', body: { role: 'member' } });
  return signInByLink(service, ((await made.json()) as { token: string }).token);
};

test('who is signed in asks the API as themselves, and an API key passes through', async () => {
  const me = await asPage(service, owner, { method: 'GET', path: '/v1/me' });
  expect(await me.json()).toMatchObject({ role: 'owner', key: null, user: { id: owner.userId } });
  const byKey = await fetch(`${service.publicUrl}/v1/me`, { headers: { authorization: `Bearer ${service.apiKey}` } });
  expect(await byKey.json()).toMatchObject({ user: null });
  expect((await fetch(`${service.publicUrl}/v1/me`)).status).toBe(401);
  const made = await asPage(service, owner, { method: 'POST', path: '/v1/keys', body: { name: 'mine' } });
  expect(made.status).toBe(201);
});

test('the cookie is out of reach of scripts and other sites, and new at each sign-in', async () => {
  const made = await asPage(service, owner, { method: 'POST', path: '/v1/sign-in-links', body: {} });
  const { token } = (await made.json()) as { token: string };
  const planted = `__Host-lb_session=lbs_${'A'.repeat(43)}`;
  const response = await postLink(service, token, { cookie: planted });
  const set = response.headers.getSetCookie().join('\n');
  for (const part of ['__Host-lb_session=lbs_', 'HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
    expect(set).toContain(part);
  expect(set).not.toContain('Domain');
  expect(cookieOf(response)).not.toBe(planted);
  expect((await visitorOf(service, planted)).userId).toBe('');
  // Two cookies of one name: somebody planted one of them.
  expect((await visitorOf(service, `${planted}; ${cookieOf(response)}`)).userId).toBe('');
});

test('no other site changes anything, with or without a page of its own', async () => {
  const send = (headers: Record<string, string>, method = 'POST', path = '/v1/keys') =>
    fetch(service.publicUrl + path, {
      method,
      headers: { cookie: owner.cookie, 'content-type': 'application/json', ...headers },
      body: method === 'GET' ? undefined : JSON.stringify({ name: 'stolen' }),
    });
  const token = { 'x-csrf-token': owner.csrfToken };
  for (const origin of [
    'https://evil.example',
    'null',
    `${service.publicUrl}.evil.example`,
    'http://localhost',
    `http://127.0.0.1:${port}`,
  ])
    expect(await codeOf(await send({ origin, ...token })), origin).toBe('foreign_origin');
  expect(await codeOf(await send(token))).toBe('foreign_origin');
  expect(await codeOf(await send({ origin: service.publicUrl }))).toBe('csrf_token_missing');
  expect(await codeOf(await send({ origin: service.publicUrl, 'x-csrf-token': 'x' }))).toBe('csrf_token_missing');
  const other = await invite();
  expect(await codeOf(await send({ origin: service.publicUrl, 'x-csrf-token': other.csrfToken }))).toBe(
    'csrf_token_missing',
  );
  expect(await codeOf(await send({ origin: 'https://evil.example' }, 'GET', '/v1/desktops'))).toBe('foreign_origin');
  expect(await codeOf(await postLink(service, `lbl_${'A'.repeat(43)}`, { origin: 'https://evil.example' }))).toBe(
    'foreign_origin',
  );
  expect(await codeOf(await send({ origin: 'https://evil.example', ...token }, 'POST', '/gateway/sign-out'))).toBe(
    'foreign_origin',
  );
  expect((await visitorOf(service, owner.cookie)).userId).toBe(owner.userId);
});

test('a session ends where it is told to, and an assertion from outside is worth nothing', async () => {
  const visitor = await invite();
  const out = await asPage(service, visitor, { method: 'POST', path: '/gateway/sign-out' });
  expect(out.status).toBe(204);
  expect(out.headers.getSetCookie().join()).toContain('Max-Age=0');
  expect((await asPage(service, visitor, { method: 'GET', path: '/v1/me' })).status).toBe(401);
  const second = await invite();
  await asPage(service, second, { method: 'DELETE', path: '/v1/sessions' });
  await expect.poll(async () => (await asPage(service, second, { method: 'GET', path: '/v1/me' })).status).toBe(401);
  for (const authorization of ['Bearer a.b.c', `Bearer ${owner.cookie.split('=')[1]}`, 'Basic YTpi']) {
    const headers = { authorization, cookie: owner.cookie };
    expect((await fetch(`${service.publicUrl}/v1/me`, { headers })).status, authorization).toBe(401);
  }
});

test('what only the gateway may ask is not asked by anybody through it', async () => {
  for (const path of ['/v1/sign-in/session', '/v1/sign-in/identity', '/v1/sign-in/link'])
    expect((await asPage(service, owner, { method: 'POST', path, body: { hash: '0'.repeat(64) } })).status, path).toBe(
      401,
    );
});

test('paths mean the same here and behind', async () => {
  const host = new URL(service.publicUrl).host;
  const get = (target: string, headers = '') =>
    rawHttp(
      port,
      `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${owner.cookie}\r\nConnection: close\r\n${headers}\r\n`,
    );
  for (const target of [
    '//v1/me',
    '/v1//me',
    '/v1/%2e%2e%2fmetrics',
    '/v1/..%2fmetrics',
    '/v1/%5c..%5cmetrics',
    '/v1/me%00',
    '/v1/%252e%252e/metrics',
  ])
    expect((await get(target)).status, target).toBe(400);
  // Written out in full or with dots, it is what it means, and that is not open to the outside.
  for (const target of [
    '/v1/../metrics',
    '/v1/%2e%2e/metrics',
    '/metrics',
    '/readyz',
    '/node/v1/sync',
    'http://127.0.0.1/metrics',
  ])
    expect((await get(target)).text, target).not.toContain('lebureau_');
  expect((await get('http://evil.example/v1/me')).status).toBe(200);
  for (const name of ['evil.example', `${host}@evil.example`, `127.0.0.1:${port}`, `${host}.`, ''])
    expect(
      (
        await rawHttp(
          port,
          `GET /v1/me HTTP/1.1\r\nHost: ${name}\r\nCookie: ${owner.cookie}\r\nConnection: close\r\n\r\n`,
        )
      ).status,
      name,
    ).not.toBe(200);
});

test('a request has one length, small headers and an end', async () => {
  const host = new URL(service.publicUrl).host;
  const head = `POST /v1/keys HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;
  const smuggled = 'GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n';
  const refused = [
    `${head}Content-Length: 4\r\nContent-Length: 40\r\n\r\n{}  ${smuggled}`,
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${head}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET /v1/me HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\n\r\n`,
  ];
  for (const text of refused) {
    const answer = await rawHttp(port, text);
    expect([400, 421], text).toContain(answer.status);
    expect(answer.text.match(/HTTP\/1\.1/g), text).toHaveLength(1);
  }
  const large = await rawHttp(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Large: ${'a'.repeat(100_000)}\r\n\r\n`);
  expect(large.status).toBe(431);
  // `Connection` names nothing that we drop or keep: what goes on is a list of our own.
  const tricked = await rawHttp(
    port,
    `GET /v1/me HTTP/1.1\r\nHost: ${host}\r\nCookie: ${owner.cookie}\r\nConnection: close, cookie, authorization\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n`,
  );
  expect(tricked.status).toBe(200);
  expect(tricked.text).toContain(owner.userId);
});

describePreviews(() => ({ service, owner }));

test('tries to sign in are counted: of ten thousand a few are looked at', async () => {
  const statuses = new Map<number, number>();
  for (let round = 0; round < 100; round++) {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        postLink(service, `lbl_${String(round * 100 + at).padStart(43, 'x')}`, {
          'x-forwarded-for': `10.0.${round}.${at}`,
        }),
      ),
    );
    for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses.keys()].toSorted((a, b) => a - b)).toEqual([403, 429]);
  expect(statuses.get(403)).toBeLessThan(60);
});

test('no page, no answer and no script carries an address or a secret from behind', async () => {
  const behind = [new URL(service.baseUrl).host, new URL(service.mcpUrl).host, service.home, '.sock'];
  const secrets = [
    service.apiKey,
    readFileSync(join(service.home, 'gateway-key'), 'utf8').split('\n')[1]!,
    'eyJhbGciOiJFZERTQ',
  ];
  const paths = [
    '/',
    '/app',
    '/app/desktops/x',
    '/sign-in',
    '/gateway/session',
    '/v1/me',
    '/v1/nodes',
    '/v1/keys',
    '/v1/users',
    '/v1/about',
    '/v1/desktops',
    '/v1/nothing',
    '/nothing',
    '/v1/openapi.json',
    '/reference',
    '/reference/openapi.json',
  ];
  const page = await (await fetch(`${service.publicUrl}/app`)).text();
  const assets = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]!);
  for (const path of [...paths, ...assets]) {
    const answer = await asPage(service, owner, { method: 'GET', path });
    const text = `${JSON.stringify([...answer.headers])}\n${await answer.text()}`;
    for (const hidden of [...behind, ...secrets]) expect(text.includes(hidden), `${path}: ${hidden}`).toBe(false);
    if (path !== '/gateway/session') expect(text, path).not.toMatch(/lbs_[\w-]{43}/);
  }
});

test('every answer forbids what it does not need', async () => {
  for (const path of ['/', '/app', '/docs', '/reference', '/v1/me', '/nothing', '/gateway/session']) {
    const { headers } = await asPage(service, owner, { method: 'GET', path });
    expect(headers.get('content-security-policy'), path).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(headers.get('content-security-policy'), path).not.toMatch(/unsafe-|\*|https?:/);
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    expect(headers.get('referrer-policy'), path).toBe('no-referrer');
  }
  expect(
    (await asPage(service, owner, { method: 'GET', path: '/v1/me' })).headers.get('content-security-policy'),
  ).toContain('sandbox');
});

test('MCP is reached with a key and never with a cookie', async () => {
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  };
  const send = (headers: Record<string, string>) =>
    fetch(`${service.publicUrl}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body: JSON.stringify(initialize),
    });
  expect((await send({ authorization: `Bearer ${service.apiKey}` })).status).toBe(200);
  expect(
    (await send({ cookie: owner.cookie, origin: service.publicUrl, 'x-csrf-token': owner.csrfToken })).status,
  ).toBe(401);
});

test('while the API is away the answer says so, and nothing of ours', async () => {
  await service.kill('api');
  const answer = await asPage(service, owner, { method: 'GET', path: '/v1/me' });
  expect(answer.status).toBe(503);
  expect(await answer.text()).not.toContain(new URL(service.baseUrl).port);
  await service.start('api');
  await expect.poll(async () => (await asPage(service, owner, { method: 'GET', path: '/v1/me' })).status).toBe(200);
});

test('keys made by others are refused by the contract as everywhere', async () => {
  const made = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'owner' } });
  expect(made.status).toBe(403);
});
