import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectContract } from '@lebureau/test/contract';
import { testGateway } from '../testing/gateway.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';

type Body = NonNullable<RequestInit['body']>;

let api: TestApi;
beforeAll(async () => {
  const rateLimits = { control: 20, input: 0, screenshot: 0, exec: 0, files: 0, streams: 30 };
  api = await startTestApi({ config: { rateLimits } });
});
afterAll(() => api.stop());

test('unknown paths and methods are problems too', async () => {
  const missing = await api.ask('GET', '/v1/nothing');
  expect(missing.status).toBe(404);
  expect(missing.headers.get('content-type')).toBe('application/problem+json');
  const wrong = await api.ask('PUT', '/v1/me');
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET']);
  expect(await wrong.json()).toMatchObject({ code: 'method_not_allowed' });
});

test('a host as short as one letter is served', async () => {
  const response = await fetch(`${api.api.url}/healthz`, { headers: { host: 'x' } });
  expect(response.status).toBe(200);
});

test('malformed JSON, other media types and bodies without a length are answered for what they are', async () => {
  const post = (body: Body, type: string) =>
    fetch(`${api.api.url}/v1/keys`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${api.secret}`, 'content-type': type },
    });
  const cases: [Body, string, number, string][] = [
    ['{"name":', 'application/json', 400, 'invalid_request'],
    [new Uint8Array([0x22, 0xff, 0x22]), 'application/json', 400, 'invalid_request'],
    ['name=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    [endless(), 'application/json', 413, 'payload_too_large'],
  ];
  for (const [body, type, status, code] of cases) {
    const response = await post(body, type);
    expect([response.status, ((await expectContract(response, 'createKey')) as { code: string }).code]).toEqual([
      status,
      code,
    ]);
  }
});

test('only a caller who is known and whose JSON body was read may be silent for long', async () => {
  const path = '/v1/desktops/dsk_01k9x3v6m8e9t2q4r6s8v0w2y4';
  const silent = async (
    method: string,
    at: string,
    options: { secret?: string; body?: Body; waitMs?: number } = {},
  ) => {
    const told = Promise.withResolvers<boolean>();
    const headers = { authorization: `Bearer ${options.secret ?? api.secret}`, 'content-type': 'application/json' };
    const request = new Request(`${api.api.url}${path}${at}`, { method, headers, body: options.body });
    const answer = Promise.resolve(api.api.apps.public(request, () => told.resolve(true)));
    return Promise.race([
      told.promise,
      answer.then(() => false),
      Bun.sleep(options.waitMs ?? 20_000).then(() => false),
    ]);
  };
  const stuck = () => new ReadableStream<Uint8Array>({ start: (to) => to.enqueue(new Uint8Array([0x7b])) });
  expect(await silent('PUT', '/files/content?path=a', { secret: 'lb_live_short', body: stuck() })).toBe(false);
  expect(await silent('POST', '/exec', { secret: 'lb_live_short', body: '{}' })).toBe(false);
  expect(await silent('POST', '/exec', { body: stuck(), waitMs: 300 })).toBe(false);
  expect(await silent('GET', '')).toBe(false);
  expect(await silent('PUT', '/files/content?path=a', { body: stuck() })).toBe(true);
  expect(await silent('POST', '/exec', { body: '{"command":"make"}' })).toBe(true);
});

test('health, readiness, metrics, about and the contract itself need no key', async () => {
  for (const [operationId, path] of [
    ['getHealth', '/healthz'],
    ['getReadiness', '/readyz'],
    ['getAbout', '/v1/about'],
    ['getContract', '/v1/openapi.json'],
  ] as const) {
    await expectContract(await fetch(api.api.url + path), operationId);
  }
  const metrics = await (await fetch(`${api.api.url}/metrics`)).text();
  expect(metrics).toMatch(/^lebureau_requests_total\{operation="getHealth",status="200"\} \d+$/m);
  expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m);
});

test('the request id of the caller is kept when it is harmless', async () => {
  const kept = await api.ask('GET', '/v1/about', { headers: { 'x-request-id': 'my-request-1' } });
  expect(kept.headers.get('x-request-id')).toBe('my-request-1');
  const made = await api.ask('GET', '/v1/about', { headers: { 'x-request-id': 'a b' } });
  expect(made.headers.get('x-request-id')).toMatch(/^req_/);
});

test('a parameter that nobody knows is refused wherever it stands', async () => {
  for (const [operationId, path] of [
    ['getMe', '/v1/me'],
    ['getAbout', '/v1/about'],
    ['getHealth', '/healthz'],
  ] as const) {
    const refused = await api.ask('GET', `${path}?nope=1`);
    expect([refused.status, await expectContract(refused, operationId)]).toEqual([
      400,
      expect.objectContaining({ errors: [expect.objectContaining({ pointer: '/query/nope' })] }),
    ]);
  }
});

test('who follows or waits does not hold up the end', async () => {
  const other = await startTestApi();
  await other.node();
  const { id } = await other.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' });
  const stream = await other.ask('GET', '/v1/events');
  const waiting = other.ask('GET', `/v1/desktops/${id}?waitFor=stopped&timeoutSeconds=30`);
  // Nothing tells from outside that a request waits; one that did not arrive yet would be cut off.
  await Bun.sleep(500);
  const began = performance.now();
  await other.api.stop(10_000);
  expect(performance.now() - began).toBeLessThan(5000);
  expect((await waiting).status).toBe(200);
  await stream.text().catch(() => {});
  await other.stop();
});

test('too many requests are refused with the time to wait', async () => {
  let response = await api.ask('GET', '/v1/me');
  for (let i = 0; i < 25 && response.status === 200; i++) response = await api.ask('GET', '/v1/me');
  expect(response.status).toBe(429);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(response.headers.get('ratelimit-policy')).toBe('"control";q=20;w=60');
  await expectContract(response, 'getMe');
});

test('whoever asked for too much still opens streams and signs out', async () => {
  const { assertion: secret, session } = await testGateway(api).owner();
  let status = 200;
  for (let i = 0; i < 25 && status === 200; i++) ({ status } = await api.ask('GET', '/v1/sessions', { secret }));
  expect(status).toBe(429);
  const path = '/v1/desktops/dsk_01k9x3v6m8e9t2q4r6s8v0w2y4/streams';
  const stream = await api.ask('POST', path, { secret, body: { kind: 'port', port: 3000 } });
  expect([stream.status, stream.headers.get('ratelimit-policy')]).toEqual([404, '"streams";q=30;w=60']);
  expect((await api.ask('DELETE', `/v1/sessions/${session.id}`, { secret })).status).toBe(204);
});

function endless(): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(0x20));
      if (sent > 50_000_000) controller.close();
    },
  });
}
