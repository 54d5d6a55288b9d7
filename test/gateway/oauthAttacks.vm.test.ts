import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Service, startService } from '../system/product.ts';
import { asPage, signInAsOwner, signInByLink, type Visitor } from './browser.ts';
import { askedOf, askMcp, RawClient, redirectUri, register, type Tokens } from './oauthClient.ts';

/** The authorization server under attack. */

let service: Service;
let owner: Visitor;
let member: Visitor;
let client: RawClient;
beforeAll(async () => {
  service = await startService({
    programs: ['api', 'mcp', 'gateway'],
    // Tests come from networks of their own, so that one does not use up what another may try.
    gateway: () => ({ LEBUREAU_TRUSTED_PROXIES: '127.0.0.0/8,::1' }),
  });
  owner = await signInAsOwner(service);
  member = await invite('member');
  client = await RawClient.register(service);
});
afterAll(() => service?.close());

async function invite(role: string): Promise<Visitor> {
  const made = await asPage(service, owner, { method: 'POST', path: '/v1/sign-in-links', body: { role } });
  return signInByLink(service, ((await made.json()) as { token: string }).token);
}
const errorOf = async (response: Response) => ((await response.json()) as { error?: string }).error;
/** What the page says on which a request ended that leads nowhere. */
const refusalOf = async (response: Response) => {
  expect(response.headers.get('location')).toBe('/app/authorize/refused');
  const cookie = response.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const session = await fetch(`${service.publicUrl}/gateway/session`, { headers: { cookie } });
  return ((await session.json()) as { notice?: { detail: string } }).notice?.detail;
};
const statusAt = async (token: string) => {
  const response = await askMcp(service, token);
  await response.body?.cancel();
  return response.status;
};

test('the metadata says where, how and for what, and everybody may read it', async () => {
  const read = async (path: string) => {
    const response = await fetch(`${service.publicUrl}/.well-known/${path}`, {
      headers: { origin: 'https://a.example' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    return response.json() as Promise<Record<string, unknown>>;
  };
  const resource = await read('oauth-protected-resource/mcp');
  expect(resource).toMatchObject({ resource: `${service.publicUrl}/mcp`, authorization_servers: [service.publicUrl] });
  expect(await read('oauth-protected-resource')).toEqual(resource);
  expect(await read('oauth-authorization-server')).toMatchObject({
    issuer: service.publicUrl,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    client_id_metadata_document_supported: true,
  });
  const refused = await askMcp(service, undefined);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toContain(
    `resource_metadata="${service.publicUrl}/.well-known/oauth-protected-resource/mcp"`,
  );
  for (const path of ['openid-configuration', 'oauth-protected-resource/v1', 'oauth-anything'])
    expect((await fetch(`${service.publicUrl}/.well-known/${path}`)).status, path).toBe(404);
  for (const path of ['jwks', 'auth', 'device', 'introspection', 'me'])
    expect((await fetch(`${service.publicUrl}/oauth/${path}`)).status, path).toBe(404);
});

test('what can be asked for is what the tools need, and to look alone is one of it', async () => {
  const toolsOf = async (...allow: string[]) => {
    const response = await fetch(`${service.publicUrl}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await client.tokensFor(owner, allow)).access_token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    const names = (await response.text()).matchAll(/"name":"(desktops?_\w+)"/g);
    return Array.from(names, ([, name]) => name);
  };
  const hands = await toolsOf('desktop:read', 'desktop:control');
  expect(hands).toEqual(expect.arrayContaining(['desktop_screenshot', 'desktop_click', 'desktops_list']));
  expect(hands).not.toContain('desktops_create');
  expect(await toolsOf('desktop:view')).toEqual(['desktop_screenshot', 'desktop_windows']);
});

describe('an authorization request', () => {
  test.each([
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'PKCE'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 'code_challenge_method'],
    ['PKCE that says no method', { code_challenge_method: undefined }, 'code_challenge_method'],
    ['another audience', { resource: 'https://other.example/mcp' }, 'MCP server only'],
    ['a token at once', { response_type: 'token' }, 'response_type'],
    ['nobody being asked', { prompt: 'none' }, 'asked'],
  ] as const)('with %s leads to a page of ours and nowhere else', async (_name, changes, said) => {
    expect(await refusalOf(await client.begin(changes))).toContain(said);
  });

  test('is of a size that may lie about for ten minutes', async () => {
    const state = 'a'.repeat(1024);
    expect((await askedOf(await client.begin({ state }))).uid).toHaveLength(43);
    expect(await refusalOf(await client.begin({ state: `${state}a` }))).toContain('state is too long');
    expect(await refusalOf(await client.begin({ resource: 'a'.repeat(4096) }))).toContain(
      'query of the request is too',
    );
    const client_id = `https://client.example/${'a'.repeat(500)}`;
    expect(await refusalOf(await client.begin({ client_id }))).toContain('client_id is too long');
  });

  test('that names no audience is for the only one that there is', async () => {
    expect((await askedOf(await client.begin({ resource: undefined }))).uid).toHaveLength(43);
  });

  test.each([
    'https://evil.example/',
    'http://127.0.0.1:39017/callback/',
    'http://127.0.0.1:39017/callback?x=1',
    'http://127.0.0.1:39017/callback/../evil',
    'http://127.0.0.1:39017/CALLBACK',
    'http://localhost:39017/callback',
    'http://127.0.0.1@evil.example/callback',
    'https://127.0.0.1:39017/callback',
    'javascript:alert(1)',
  ])('nobody is sent back to %s', async (uri) => {
    const response = await client.begin({ redirect_uri: uri });
    expect(response.headers.get('location')).toBe('/app/authorize/refused');
  });

  test('a program may choose its port of this machine, and nothing else', async () => {
    expect((await askedOf(await client.begin({ redirect_uri: 'http://127.0.0.1:1234/callback' }))).uid).toHaveLength(
      43,
    );
    const web = await RawClient.register(service, { redirect_uris: ['https://client.example/back'] });
    const other = await web.begin({ redirect_uri: 'https://client.example:8443/back' });
    expect(other.headers.get('location')).toBe('/app/authorize/refused');
  });

  test('by a stranger, or sent as a form, leads nowhere', async () => {
    const stranger = new RawClient(service, 'cli_01k9x3v6m8e9t2q4r6s8v0w2y4');
    expect((await stranger.begin()).headers.get('location')).toBe('/app/authorize/refused');
    expect((await fetch(client.authorizeUrl(), { method: 'POST', redirect: 'manual' })).status).toBe(404);
  });
});

describe('a yes', () => {
  test('is the one of a person on our page, in the browser that was asked', async () => {
    const asked = await askedOf(await client.begin());
    for (const each of asked.setCookies) expect(each).toMatch(/httponly/i);
    for (const each of asked.setCookies) expect(each).toMatch(/^__Secure-.*path=\/(gateway|oauth)\/.*samesite=lax/i);
    const path = `/gateway/authorization/${asked.uid}/decision`;
    const send = (headers: Record<string, string>) =>
      fetch(service.publicUrl + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ allow: ['desktop:read'], name: 'Raw' }),
      });
    const cookie = `${member.cookie}; ${asked.cookie}`;
    const [origin, token] = [{ origin: service.publicUrl }, { 'x-csrf-token': member.csrfToken }];
    expect((await send({ cookie, ...token, origin: 'https://evil.example' })).status).toBe(403);
    expect((await send({ cookie, ...token })).status).toBe(403);
    expect((await send({ cookie, ...origin })).status).toBe(403);
    expect((await send({ cookie, ...origin, 'x-csrf-token': owner.csrfToken })).status).toBe(403);
    expect((await send({ cookie: asked.cookie, ...origin, ...token })).status).toBe(401);
    // Somebody is led to the page of a request that an attacker began.
    expect((await send({ cookie: member.cookie, ...origin, ...token })).status).toBe(404);
    const others = await askedOf(await client.begin());
    expect((await send({ cookie: `${member.cookie}; ${others.cookie}`, ...origin, ...token })).status).toBe(404);
    expect((await send({ cookie, ...origin, ...token })).status).toBe(200);
    const page = await fetch(`${service.publicUrl}/app/authorize/${asked.uid}`);
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(page.headers.get('x-frame-options')).toBe('DENY');
  });

  test('is worth nothing in the browser of somebody else, who knows the request and has its cookies', async () => {
    const asked = await askedOf(await client.begin());
    const resume = (cookie: string) => client.resume(asked.uid, cookie);
    expect((await resume(asked.cookie)).headers.get('location')).toBe('/app/authorize/refused');
    expect((await asked.decide(service, member, { allow: ['desktop:read'] })).status).toBe(200);
    const { location } = Object.fromEntries((await resume(`${member.cookie}; ${asked.cookie}`)).headers);
    expect(new URL(location!).searchParams.get('code')).toHaveLength(43);
    const clientsOf = async (visitor: Visitor) => {
      const answer = await asPage(service, visitor, { method: 'GET', path: '/v1/grants' });
      return ((await answer.json()) as { data: unknown[] }).data.length;
    };
    const person = await invite('member');
    const { token } = (await (
      await asPage(service, owner, { method: 'POST', path: '/v1/sign-in-links', body: { userId: person.userId } })
    ).json()) as { token: string };
    const elsewhere = await signInByLink(service, token);
    expect([elsewhere.userId, elsewhere.cookie === person.cookie]).toEqual([person.userId, false]);
    for (const other of [undefined, owner, elsewhere]) {
      for (const allow of [['desktop:read'], []]) {
        const again = await askedOf(await client.begin());
        expect((await again.decide(service, person, { allow })).status).toBe(200);
        const came = (visitor?: Visitor) =>
          client.resume(again.uid, visitor === undefined ? again.cookie : `${visitor.cookie}; ${again.cookie}`);
        expect((await came(other)).headers.get('location')).toBe('/app/authorize/refused');
        // What was allowed for a browser that is not the one ended: it cannot be fetched, and is not in the list.
        const late = await came(person);
        if (allow.length > 0) expect(late.headers.get('location')).toBe('/app/authorize/refused');
        else expect(late.headers.get('location')).toContain('error=access_denied');
        expect(await clientsOf(person)).toBe(0);
      }
    }
  });

  test('gives no more than was asked for, than the role has, and nothing of people, keys and nodes', async () => {
    const viewer = await invite('viewer');
    const asked = await askedOf(await client.begin({ scope: 'desktop:create desktop:read keys:write' }));
    const shown = await asPage(
      service,
      { ...viewer, cookie: `${viewer.cookie}; ${asked.cookie}` },
      { method: 'GET', path: `/gateway/authorization/${asked.uid}/request` },
    );
    expect(((await shown.json()) as { capabilities: unknown }).capabilities).toEqual([
      { name: 'desktop:read', allowed: true },
      { name: 'desktop:create', allowed: false },
    ]);
    const decide = async (allow: string[]) => (await asked.decide(service, viewer, { allow })).status;
    expect(await decide(['desktop:read', 'desktop:create'])).toBe(403);
    expect(await decide(['keys:write'])).toBe(400);
    const back = await client.allowedBy(member, ['desktop:read', 'files:read'], { scope: 'desktop:read' });
    const { scope } = (await (await client.exchange(back.searchParams.get('code')!)).json()) as Tokens;
    expect(scope).toBe('desktop:read');
  });

  test('shrinks and ends with the person', async () => {
    const person = await invite('member');
    const { access_token: token } = await client.tokensFor(person, ['desktop:read', 'desktop:lifecycle']);
    const change = (method: string, body?: unknown) =>
      asPage(service, owner, { method, path: `/v1/users/${person.userId}`, body });
    const stop = async () => {
      const answer = await fetch(`${service.publicUrl}/mcp`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'desktops_stop', arguments: { desktopId: 'dsk_01k9x3v6m8e9t2q4r6s8v0w2y4' } },
        }),
      });
      return answer.text();
    };
    // There is no such desktop: it may, and cannot.
    expect(await stop()).toContain('[not_found]');
    expect((await change('PATCH', { role: 'viewer' })).status).toBe(200);
    await expect.poll(stop).toContain('[capability_missing]');
    expect((await change('DELETE')).status).toBe(204);
    await expect.poll(() => statusAt(token)).toBe(401);
  });
});

describe('a code', () => {
  const codeFor = async () => (await client.allowedBy(member, ['desktop:read'])).searchParams.get('code')!;

  test('is good for who asked, with the secret, where it was sent, and nobody else', async () => {
    const other = await RawClient.register(service);
    expect(await errorOf(await client.exchange(await codeFor(), { code_verifier: other.verifier }))).toBe(
      'invalid_grant',
    );
    expect(
      await errorOf(
        await client.token({ grant_type: 'authorization_code', code: await codeFor(), redirect_uri: redirectUri }),
      ),
    ).toBe('invalid_grant');
    expect(await errorOf(await client.exchange(await codeFor(), { client_id: other.clientId }))).toBe('invalid_grant');
    expect(await errorOf(await client.exchange(await codeFor(), { redirect_uri: 'http://127.0.0.1:1/callback' }))).toBe(
      'invalid_grant',
    );
    expect(await errorOf(await client.exchange(await codeFor(), { resource: 'https://other.example/mcp' }))).toMatch(
      /^invalid_(?:target|grant)$/,
    );
    expect(await errorOf(await client.exchange('A'.repeat(43)))).toBe('invalid_grant');
  });

  test('that comes twice ends all that came of it', async () => {
    const code = await codeFor();
    const { access_token: token, refresh_token: refresh } = (await (await client.exchange(code)).json()) as Tokens;
    expect(await statusAt(token)).toBe(200);
    expect(await errorOf(await client.exchange(code))).toBe('invalid_grant');
    await expect.poll(() => statusAt(token)).toBe(401);
    expect(await errorOf(await client.refresh(refresh))).toBe('invalid_grant');
  });
});

describe('a refresh token', () => {
  test('is replaced each time, and one that was used before ends its family', async () => {
    const first = await client.tokensFor(member);
    const second = (await (await client.refresh(first.refresh_token)).json()) as Tokens;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(await statusAt(second.access_token)).toBe(200);
    expect(await errorOf(await client.refresh(first.refresh_token))).toBe('invalid_grant');
    await expect.poll(() => statusAt(second.access_token)).toBe(401);
    expect(await errorOf(await client.refresh(second.refresh_token))).toBe('invalid_grant');
  });

  test('gets what was allowed, no more and no less, and says so, whatever is asked for', async () => {
    const allowed = ['desktop:read', 'desktop:control'];
    let { refresh_token: token } = await client.tokensFor(member, allowed);
    for (const scope of ['desktop:read', 'desktop:destroy', 'keys:write', allowed.join(' ')]) {
      const answer = (await (await client.refresh(token, { scope })).json()) as Tokens;
      expect(answer.scope.split(' ').toSorted(), scope).toEqual(allowed.toSorted());
      token = answer.refresh_token;
    }
  });

  test('of many who come with it at once one gets something, and it is worth nothing', async () => {
    const { refresh_token: token } = await client.tokensFor(member);
    const answers = await Promise.all(Array.from({ length: 8 }, () => client.refresh(token)));
    const good = answers.filter(({ ok }) => ok);
    expect(good.length).toBeLessThanOrEqual(1);
    for (const answer of good) {
      const { access_token: access } = (await answer.json()) as Tokens;
      await expect.poll(() => statusAt(access)).toBe(401);
    }
  });

  test('is good for its client and what was allowed, and ends when it is given back', async () => {
    const tokens = await client.tokensFor(member);
    const other = await RawClient.register(service);
    expect(await errorOf(await other.refresh(tokens.refresh_token))).toBe('invalid_grant');
    const revoked = await fetch(`${service.publicUrl}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: client.clientId, token: tokens.refresh_token }),
    });
    expect(revoked.status).toBe(200);
    await expect.poll(() => statusAt(tokens.access_token)).toBe(401);
  });
});

test('an access token opens /mcp and nothing else, and the gateway takes no other thing for one', async () => {
  const { access_token: token, refresh_token: refresh } = await client.tokensFor(owner);
  expect(await statusAt(token)).toBe(200);
  const me = await fetch(`${service.publicUrl}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
  expect(me.status).toBe(401);
  const direct = await fetch(`${service.baseUrl}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
  expect(direct.status).toBe(401);
  for (const other of [refresh, 'a.b.c', 'A'.repeat(43), owner.cookie.split('=')[1]!])
    expect(await statusAt(other), other).toBe(401);
});

describe('a client that is a URL', () => {
  test('no address of ours is connected to, however it is written', async () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as { port: number };
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '0x7f.1',
      '0',
      '169.254.169.254',
      '10.0.0.1',
    ])
      for (const place of [`${host}:${port}`, host]) {
        const stranger = new RawClient(service, `https://${place}/client.json`);
        const headers = { 'x-forwarded-for': '198.51.100.9' };
        const response = await fetch(stranger.authorizeUrl(), { redirect: 'manual', headers });
        expect(response.headers.get('location'), place).toBe('/app/authorize/refused');
      }
    expect(connections).toBe(0);
    listener.close();
  });
});

test('why a document was not fetched is not said, for it would tell of the inside', async () => {
  const saidOf = async (host: string) => refusalOf(await new RawClient(service, `https://${host}/client.json`).begin());
  const unknown = await saidOf('no-such-host.invalid');
  expect(unknown).toContain('could not be fetched');
  for (const host of ['localhost', '10.0.0.1', 'localhost:1']) expect(await saidOf(host), host).toBe(unknown);
});

describe('registration', () => {
  test('takes no secret and no way back that leads elsewhere', async () => {
    const from = { 'x-forwarded-for': '198.51.100.20' };
    const made = await register(
      service,
      { token_endpoint_auth_method: 'client_secret_post', scope: 'keys:write' },
      from,
    );
    expect(made.status).toBe(201);
    const said = (await made.json()) as Record<string, unknown>;
    expect(said['token_endpoint_auth_method']).toBe('none');
    expect(said).not.toHaveProperty('client_secret');
    for (const metadata of [
      { redirect_uris: ['http://evil.example/'] },
      { redirect_uris: ['javascript:alert(1)'] },
      { redirect_uris: [] },
    ])
      expect(await errorOf(await register(service, metadata, from))).toBe('invalid_client_metadata');
    expect((await register(service, { client_name: 'a'.repeat(20_000) }, from)).status).toBe(413);
  });

  test('of hundreds from one network a few are taken', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const from = { 'x-forwarded-for': `2001:db8:1:2::${at.toString(16)}` };
        return (await register(service, {}, from)).status;
      }),
    );
    const taken = statuses.filter((status) => status === 201).length;
    expect([...new Set(statuses)].toSorted((a, b) => a - b)).toEqual([201, 429]);
    expect(taken).toBeLessThan(15);
  });
});
