import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { LeBureau } from './client.ts';
import { DesktopFailedError, isHopeless } from './desktop.ts';
import { AbortedError, ApiError, CallTimeoutError, ConnectionError } from './faults.ts';
import { CapabilityMissingError, NotReadyError, WrongStateError } from './generated/errorClasses.ts';
import type { UploadState } from './sendInPieces.ts';
import { Fake } from './testing/fake.ts';

test('a desktop is created, waited for, used and deleted at the end of its block', async () => {
  const fake = new Fake({ bootMs: 20 });
  const bureau = fake.client();
  let id = '';
  {
    await using desktop = await bureau.desktops.create({ name: 'one', ephemeral: true });
    id = desktop.id;
    await desktop.wait();
    expect(desktop.status).toBe('running');
    const { stdout, exitCode } = await desktop.exec('echo hi');
    expect([stdout, exitCode]).toEqual(['echo hi\n', 0]);
    const picture = await desktop.computer.screenshot();
    expect([...picture.bytes.subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
    await desktop.clipboard.set('é€日本語');
    expect(await desktop.clipboard.get()).toBe('é€日本語');
  }
  expect(fake.desktops.get(id)?.data.status).toBe('destroying');
  await using kept = await bureau.desktops.create({ name: 'two' });
  await kept[Symbol.asyncDispose]();
  expect(fake.desktops.get(kept.id)?.data.status).not.toMatch(/destroy/);
});

test('what a desktop used is asked for with a span and a step', async () => {
  const fake = new Fake();
  const desktop = await fake.client().desktops.create();
  const { points, stepSeconds } = await desktop.metrics();
  expect([points.length, stepSeconds, points[0]?.cpuCores]).toEqual([60, 60, null]);
  let asked = '';
  const bureau = new LeBureau({
    apiKey: fake.apiKey,
    baseUrl: 'http://fake.invalid',
    fetch: (url, init) => {
      asked = new URL(url).search;
      return fake.fetch(new Request(url, init));
    },
  });
  const from = new Date('2026-11-20T10:00:00Z');
  await bureau.desktop(desktop.id).metrics({ from, stepSeconds: 600 });
  expect(asked).toBe('?from=2026-11-20T10%3A00%3A00.000Z&stepSeconds=600');
});

test('waiting ends early for a desktop that failed, and at its limit for one that hangs', async () => {
  const fake = new Fake({ bootMs: 60_000 });
  const desktop = await fake.client().desktops.create();
  const waiting = desktop.wait('ready', { timeoutMs: 30 });
  await expect(waiting).rejects.toBeInstanceOf(CallTimeoutError);
  const calls = fake.calls.length;
  for (const status of ['error', 'stopped', 'destroying', 'destroyed'] as const) {
    fake.desktops.get(desktop.id)?.become(status);
    for (const goal of ['running', 'ready', 'agentReady'] as const)
      await expect(desktop.wait(goal), `${status} ${goal}`).rejects.toBeInstanceOf(DesktopFailedError);
  }
  expect(fake.calls.length - calls).toBe(12);
  await expect(desktop.wait('stopped')).rejects.toBeInstanceOf(DesktopFailedError);
  expect(isHopeless(desktop.data, 'destroyed')).toBe(false);
});

test('an answer that may pass is tried again with the same idempotency key, as often as allowed', async () => {
  const fake = new Fake();
  const overloaded = { status: 503, code: 'unavailable', retryAfterSeconds: 0.01 };
  fake.failNext(overloaded, overloaded);
  await fake.client().desktops.create();
  const keys = fake.calls.map((call) => call.headers.get('idempotency-key'));
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  expect(fake.desktops.size).toBe(1);

  fake.failNext(overloaded);
  await expect(fake.client({ retriesMax: 0 }).desktops.create()).rejects.toMatchObject({
    code: 'unavailable',
    status: 503,
    retryable: true,
    requestId: expect.stringMatching(/^req_/) as string,
  });
});

test('what acts inside a desktop is sent again only when nothing was done', async () => {
  const fake = new Fake();
  const bureau = fake.client();
  const { id } = await bureau.desktops.create();
  const { computer } = bureau.desktop(id);
  fake.failNext({ status: 504, code: 'timeout' });
  await expect(computer.click({ x: 1, y: 2 })).rejects.toMatchObject({ code: 'timeout' });
  fake.failNext(new Error('connection reset'));
  await expect(computer.click({ x: 1, y: 2 })).rejects.toBeInstanceOf(ConnectionError);
  expect(fake.desktops.get(id)?.actions).toEqual([]);
  fake.failNext({ status: 429, code: 'rate_limited', retryAfterSeconds: 0.01 });
  await computer.click({ x: 1, y: 2 });
  expect(fake.desktops.get(id)?.actions).toEqual([{ action: 'click', x: 1, y: 2 }]);
  expect(fake.calls.at(-1)?.headers.has('idempotency-key')).toBe(false);
  fake.failNext(new Error('connection reset'));
  await computer.click({ x: 3, y: 4 }, { idempotencyKey: 'mine' });
  expect(fake.calls.slice(-2).map((call) => call.headers.get('idempotency-key'))).toEqual(['mine', 'mine']);
  expect(fake.desktops.get(id)?.actions).toHaveLength(2);
});

test('each code has its class', async () => {
  const bureau = new Fake({ capabilities: ['desktop:read', 'desktop:create'] }).client({ retriesMax: 0 });
  const desktop = await bureau.desktops.create();
  const refused = await desktop.exec('true').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CapabilityMissingError);
  expect(refused).toBeInstanceOf(ApiError);
  expect((refused as ApiError).problem.capability).toBe('desktop:control');

  const slow = new Fake({ bootMs: 60_000 });
  const other = await slow.client().desktops.create();
  await expect(slow.client({ retriesMax: 0 }).desktop(other.id).exec('true')).rejects.toBeInstanceOf(NotReadyError);
  await expect(other.start()).rejects.toBeInstanceOf(WrongStateError);
});

test('a list is awaited by the page and iterated to its end', async () => {
  const bureau = new Fake().client();
  for (let n = 0; n < 7; n++) await bureau.desktops.create({ name: `d${n}` });
  const page = await bureau.desktops.list({ limit: 3 });
  expect(page.data.map((desktop) => desktop.data.name)).toEqual(['d0', 'd1', 'd2']);
  expect((await page.next())?.data.map((desktop) => desktop.data.name)).toEqual(['d3', 'd4', 'd5']);
  const names: string[] = [];
  for await (const desktop of bureau.desktops.list({ limit: 3 })) names.push(desktop.data.name);
  expect(names).toEqual(['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6']);
});

test('nodes, templates and what happened are iterated over all pages', async () => {
  const asked: string[] = [];
  const fetch = (url: string) => {
    asked.push(new URL(url).pathname + new URL(url).search);
    const last = url.includes('cursor=more');
    return Promise.resolve(Response.json({ data: [{ id: last ? 'b' : 'a' }], nextCursor: last ? null : 'more' }));
  };
  const bureau = new LeBureau({ apiKey: 'x', fetch });
  const events = bureau.events.list('dsk_1', { limit: 1 });
  for (const list of [bureau.nodes.list({ limit: 1 }), bureau.templates.list({ limit: 1 }), events]) {
    const ids: string[] = [];
    for await (const { id } of list) ids.push(id);
    expect(ids).toEqual(['a', 'b']);
  }
  expect(asked).toContain('/v1/nodes?limit=1&cursor=more');
  expect(asked).toContain('/v1/templates?limit=1&cursor=more');
  expect(asked).toContain('/v1/desktops/dsk_1/events?limit=1&cursor=more');
});

test('the response is at hand for those who want it', async () => {
  const { data, response, requestId } = await new Fake().client().me().withResponse();
  expect(data.capabilities).toContain('desktop:control');
  expect(response.status).toBe(200);
  expect(requestId).toMatch(/^req_/);
});

test('a signal ends a call, and a time limit does', async () => {
  const fake = new Fake();
  const stuck = (_url: string, init: RequestInit) =>
    new Promise<Response>((_resolve, reject) => init.signal?.addEventListener('abort', () => reject(new Error('cut'))));
  const bureau = new LeBureau({ apiKey: fake.apiKey, fetch: stuck, retriesMax: 0 });
  const controller = new AbortController();
  const call = bureau.me({ signal: controller.signal });
  controller.abort();
  await expect(call).rejects.toBeInstanceOf(AbortedError);
  await expect(bureau.me({ timeoutMs: 10 })).rejects.toBeInstanceOf(CallTimeoutError);
});

test('files of every kind of source arrive whole over real HTTP, and a stream is never sent twice', async () => {
  const fake = new Fake();
  const server = createServer((incoming, outgoing) => void serve(fake, incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const bureau = new LeBureau({ apiKey: fake.apiKey, baseUrl });
    const { files } = await bureau.desktops.create();
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += 7000) yield bytes.subarray(at, at + 7000);
    };
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const sha256 = Buffer.from(digest).toString('hex');
    const progress: number[] = [];
    const sources = { bytes, blob: new Blob([bytes]), stream: new Blob([bytes]).stream(), iterable: pieces() };
    for (const [name, source] of Object.entries(sources)) {
      const receipt = await files.write(`/tmp/${name}`, source, { onProgress: (sent) => progress.push(sent) });
      expect([name, receipt.sha256]).toEqual([name, sha256]);
      expect(progress.at(-1)).toBe(bytes.length);
    }
    expect(await files.bytes('/tmp/stream', { offset: 10, maxBytes: 5 })).toEqual(bytes.slice(10, 15));
    const parts: Uint8Array[] = [];
    for await (const part of await files.stream('/tmp/blob')) parts.push(part);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);

    const received: number[] = [];
    fake.failNext({ status: 503, code: 'not_ready', retryAfterSeconds: 0.01 });
    const receipt = await files.upload('~/up', new Blob([bytes]), {
      onUpload: (upload) => {
        received.push(upload.receivedBytes);
        if (received.length === 1) fake.failNext({ status: 502, code: 'guest_unreachable', retryAfterSeconds: 0.01 });
        if (received.length === 3) fake.failNext({ status: 503, code: 'x', retryAfterSeconds: 0.01 });
      },
    });
    expect([receipt.sha256, receipt.entry.path]).toEqual([sha256, '/home/agent/up']);
    expect(received).toEqual([0, 0, bytes.length]);
    expect(await files.bytes('~/up')).toEqual(bytes);
    const begun: UploadState[] = [];
    const stop = new AbortController();
    const stopped = files.upload('~/other', 'text', {
      signal: stop.signal,
      onUpload: (upload) => (begun.push(upload), stop.abort()),
    });
    await expect(stopped).rejects.toBeInstanceOf(AbortedError);
    expect((await files.upload('~/other', 'text', { upload: begun[0] })).entry.sizeBytes).toBe(4);
    await files.cancelUpload(begun[0]!);
    fake.failNext({ status: 501, code: 'unsupported', retryable: false });
    expect((await files.upload('~/old', bytes)).sha256).toBe(sha256);
    fake.failNext({ status: 507, code: 'disk_full', retryable: false });
    await expect(files.upload('~/full', bytes)).rejects.toMatchObject({ code: 'disk_full' });

    const before = fake.calls.length;
    fake.failNext({ status: 503, code: 'unavailable' });
    await expect(files.write('/tmp/once', pieces())).rejects.toMatchObject({ code: 'unavailable' });
    expect(fake.calls.length - before).toBe(1);
  } finally {
    server.close();
  }
});

async function serve(
  fake: Fake,
  incoming: import('node:http').IncomingMessage,
  outgoing: import('node:http').ServerResponse,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const init: RequestInit = { method: incoming.method ?? 'GET', headers: incoming.headers as Record<string, string> };
  if (incoming.method !== 'GET' && incoming.method !== 'HEAD') init.body = Buffer.concat(parts);
  const answer = await fake.fetch(new Request(`http://fake.invalid${incoming.url}`, init));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
}
