import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectContract } from '@lebureau/test/contract';
import type { NodeDouble } from '@lebureau/test/doubles/node';
import { Usage } from '../desktops/usage.ts';
import { problems } from '../http/problems.ts';
import { guestExamples } from '../openapi/guestExamples.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { guestOperations } from './contract.ts';
import { Forwarder } from './forward.ts';

let api: TestApi;
let node: NodeDouble;
let id: string;
beforeAll(async () => {
  api = await startTestApi();
  node = await api.node();
  ({ id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { ephemeral: true, ttlSeconds: 60 },
  }));
  await api.ask('GET', `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=5`);
});
afterAll(() => api.stop());

const below = (path: string) => `/v1/desktops/${id}${path}`;
const filled = (path: string) =>
  path
    .replace(':windowId', '0x3a00007')
    .replace(':processId', 'prc_01k9x3v6m8e9t2q4r6s8v0w2y4')
    .replace(':uploadId', 'upl_01k9x3v6m8e9t2q4r6s8v0w2y4')
    .replace(':terminalName', 'main');

test('every row of the guest table reaches the node and comes back as the contract says', async () => {
  for (const operation of guestOperations) {
    const path =
      filled(operation.path) +
      (operation.capability.startsWith('files') && operation.query ? '?path=7' : '') +
      (operation.operationId === 'writeUpload' ? '&offset=0' : '');
    const octets = operation.body === 'octets';
    const response = await fetch(api.api.url + below(path), {
      method: operation.method,
      headers: {
        authorization: `Bearer ${api.secret}`,
        'content-type': octets ? 'application/octet-stream' : 'application/json',
      },
      body: octets
        ? 'some bytes'
        : operation.body
          ? JSON.stringify(guestExamples[operation.operationId]!.request)
          : undefined,
    });
    expect(response.ok, operation.operationId).toBe(true);
    await expectContract(response, operation.operationId);
    expect(node.guest.seen.at(-1)).toBe(`${operation.method} ${filled(operation.path)}`);
  }
});

test('a screenshot as JSON is in the contract too', async () => {
  const path = below('/screenshot?as=json');
  const shot = await api.expect('takeScreenshot', 200, { method: 'GET', path });
  expect(shot).toMatchObject({ unchanged: false, frame: { screenWidth: 1280 } });
});

test('a node that says more than a problem can be is not listened to for ever', async () => {
  let sent = 0;
  let isLeft = false;
  node.guest.answer = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await Bun.sleep(0);
          sent += 65_536;
          controller.enqueue(Buffer.alloc(65_536, ' '));
        },
        cancel: () => void (isLeft = true),
      }),
      { status: 409, headers: { 'content-type': 'application/problem+json' } },
    );
  await api.expect('listWindows', 500, { method: 'GET', path: below('/windows') });
  await expect.poll(() => isLeft).toBe(true);
  expect(sent).toBeLessThan(16_000_000);
  node.guest.answer = undefined;
});

test('a problem that is no object is no problem that is passed on', async () => {
  for (const text of ['null', '7', '[]', 'nothing']) {
    node.guest.answer = () =>
      new Response(text, { status: 409, headers: { 'content-type': 'application/problem+json' } });
    await api.expect('listWindows', 500, { method: 'GET', path: below('/windows') });
  }
  node.guest.answer = undefined;
});

test('bad bodies never reach the node', async () => {
  const seen = node.guest.seen.length;
  const refuse = (operationId: string, path: string, body: unknown) =>
    api.expect(operationId, 400, { method: 'POST', path: below(path), body });
  expect(
    await refuse('runActions', '/actions', {
      actions: Array.from({ length: 10_000 }, () => ({ action: 'screenshot' })),
    }),
  ).toMatchObject({
    errors: [{ pointer: '/actions', code: 'too_large' }],
  });
  const named = { errors: [{ pointer: '/actions/0/keys', code: 'required' }] };
  expect(await refuse('runActions', '/actions', { actions: [{ action: 'key' }] })).toMatchObject(named);
  await refuse('runActions', '/actions', { actions: [{ action: 'fly' }] });
  await refuse('exec', '/exec', {});
  const large = await fetch(api.api.url + below('/exec'), {
    method: 'POST',
    headers: { authorization: `Bearer ${api.secret}`, 'content-type': 'application/json' },
    body: 'x'.repeat(5_000_000),
  });
  expect(await expectContract(large, 'exec')).toMatchObject({ code: 'payload_too_large' });
  expect(node.guest.seen.length).toBe(seen);
});

test('a problem of the node passes through under our request id, and codes that nobody knows do not', async () => {
  node.guest.answer = () =>
    Response.json(
      {
        code: 'stale_frame',
        detail: 'Too old.',
        requestId: 'theirs',
        screenshot: guestExamples['takeScreenshot']!.response,
      },
      { status: 409, headers: { 'content-type': 'application/problem+json' } },
    );
  const problem = await api.expect('click', 409, {
    method: 'POST',
    path: below('/click'),
    body: { x: 1, y: 1 },
    headers: { 'x-request-id': 'request-12345' },
  });
  expect(problem).toMatchObject({ code: 'stale_frame', requestId: 'request-12345', screenshot: { unchanged: false } });
  node.guest.answer = () =>
    Response.json(
      { code: 'strange', detail: 'secret detail' },
      { status: 418, headers: { 'content-type': 'application/problem+json' } },
    );
  const strange = await api.expect('click', 500, { method: 'POST', path: below('/click'), body: { x: 1, y: 1 } });
  expect(JSON.stringify(strange)).not.toContain('secret detail');
  node.guest.answer = undefined;
});

test('a problem of the node without a hint gets the hint of its code, and one with a hint keeps it', async () => {
  const click = { method: 'POST', path: below('/click'), body: { x: 1, y: 1 } };
  for (const [hint, expected] of [
    [undefined, problems.stale_frame.hint],
    ['Look at the attached frame.', 'Look at the attached frame.'],
  ]) {
    node.guest.answer = () =>
      Response.json(
        { code: 'stale_frame', detail: 'Too old.', ...(hint === undefined ? {} : { hint }) },
        { status: 409, headers: { 'content-type': 'application/problem+json' } },
      );
    expect(await api.expect('click', 409, click)).toMatchObject({ code: 'stale_frame', hint: expected });
  }
  node.guest.answer = undefined;
});

test('a command with an Idempotency-Key runs once, whatever became of its answer', async () => {
  const request = {
    method: 'POST',
    path: below('/exec'),
    body: { command: 'make' },
    headers: { 'idempotency-key': 'exec-1' },
  };
  const seen = node.guest.seen.length;
  const first = await api.ask(request.method, request.path, request);
  const second = await api.ask(request.method, request.path, request);
  expect(await second.json()).toEqual(await first.json());
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  expect(node.guest.seen.length).toBe(seen + 1);

  let release = () => {};
  node.guest.answer = () => new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
  const slow = { ...request, headers: { 'idempotency-key': 'exec-2' } };
  const running = api.ask(slow.method, slow.path, slow);
  while (node.guest.seen.length < seen + 2) await Bun.sleep(2);
  expect(await api.expect('exec', 409, slow)).toMatchObject({ code: 'idempotency_in_progress' });
  node.guest.answer = undefined;
  release();
  expect((await running).status).toBe(200);
});

test('an Idempotency-Key is free again only when nothing reached the desktop', async () => {
  const request = (key: string) => ({
    method: 'POST',
    path: below('/exec'),
    body: { command: 'make' },
    headers: { 'idempotency-key': key },
  });
  const failWith = (code: string, status: number) => {
    node.guest.answer = () =>
      Response.json({ code, detail: 'No.' }, { status, headers: { 'content-type': 'application/problem+json' } });
  };
  for (const [code, status] of [
    ['not_ready', 503],
    ['unavailable', 503],
    ['rate_limited', 429],
  ] as const) {
    failWith(code, status);
    await api.expect('exec', status, request(code));
    node.guest.answer = undefined;
    await api.expect('exec', 200, request(code));
  }
  for (const [code, status, told] of [
    ['guest_unreachable', 503, 503],
    ['strange', 418, 500],
  ] as const) {
    failWith(code, status);
    await api.expect('exec', told, request(code));
    node.guest.answer = undefined;
    const seen = node.guest.seen.length;
    expect(await api.expect('exec', 409, request(code))).toMatchObject({ code: 'replay_unavailable' });
    expect(node.guest.seen.length).toBe(seen);
  }
});

test('of a long answer only the status is kept', async () => {
  const request = { method: 'POST', path: below('/exec'), body: { command: 'make' } };
  const result = guestExamples['exec']!.response as object;
  for (const [length, status] of [
    [10_000, 200],
    [20_000, 409],
  ] as const) {
    const headers = { 'idempotency-key': `long-${length}` };
    node.guest.answer = () => Response.json({ ...result, stdout: 'x'.repeat(length) });
    expect(await api.expect('exec', 200, { ...request, headers })).toMatchObject({ stdout: 'x'.repeat(length) });
    node.guest.answer = undefined;
    const again = await api.expect('exec', status, { ...request, headers });
    expect(again).toMatchObject(status === 200 ? { stdout: 'x'.repeat(length) } : { code: 'replay_unavailable' });
  }
});

test('who follows a process again goes on after the last event heard', async () => {
  let heard: string | null = null;
  node.guest.answer = (request) => {
    heard = request.headers.get('last-event-id');
    return new Response('id: 5.0\nevent: ping\ndata: {}\n\n', { headers: { 'content-type': 'text/event-stream' } });
  };
  const path = below(filled('/processes/:processId/events'));
  const response = await api.ask('GET', path, { headers: { 'last-event-id': '4.0' } });
  await expectContract(response, 'streamProcess');
  node.guest.answer = undefined;
  expect(heard).toBe('4.0');
});

test('when the client goes away the node is told', async () => {
  let cut = false;
  const reached = Promise.withResolvers<void>();
  node.guest.answer = async (request) => {
    reached.resolve();
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    cut = true;
    return new Response();
  };
  const leaving = new AbortController();
  const running = api
    .ask('POST', below('/exec'), { body: { command: 'sleep 60' }, signal: leaving.signal })
    .catch(() => {});
  await reached.promise;
  leaving.abort();
  await running;
  await expect.poll(() => cut).toBe(true);
  node.guest.answer = undefined;
});

test('a use shortly before the end is written down before it reaches the node', async () => {
  const { database, clock } = api.api.services;
  const set = (change: { expiresMs: number; deletedMs?: number | null }) =>
    database.write(({ db }) => db.updateTable('desktops').set(change).where('id', '=', id).execute());
  await set({ expiresMs: clock.nowMs() + 5000 });
  let leftMs = 0;
  node.guest.answer = async () => {
    const row = await database.read.selectFrom('desktops').select('expiresMs').where('id', '=', id).executeTakeFirst();
    leftMs = row!.expiresMs! - clock.nowMs();
    return undefined;
  };
  await api.expect('exec', 200, { method: 'POST', path: below('/exec'), body: { command: 'make' } });
  node.guest.answer = undefined;
  expect(leftMs).toBeGreaterThan(50_000);
  const seen = node.guest.seen.length;
  await set({ expiresMs: clock.nowMs() + 5000, deletedMs: clock.nowMs() });
  const late = await api.expect('exec', 409, { method: 'POST', path: below('/exec'), body: { command: 'make' } });
  expect(late).toMatchObject({ code: 'wrong_state', desktopStatus: 'destroying' });
  expect(node.guest.seen.length).toBe(seen);
  await set({ expiresMs: clock.nowMs() + 60_000, deletedMs: null });
});

test('an upload whose client goes away in the middle is cut at the node, too', async () => {
  const leaving = new AbortController();
  const begun = Promise.withResolvers<void>();
  node.guest.uploadedBytes = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new Uint8Array(65_536));
      if (node.guest.uploadedBytes > 0) begun.resolve();
      await Bun.sleep(1);
    },
  });
  const before = node.guest.abortedUploads;
  const running = fetch(api.api.url + below('/files/content?path=cut'), {
    method: 'PUT',
    headers: { authorization: `Bearer ${api.secret}` },
    body,
    signal: leaving.signal,
  }).catch(() => 'cut');
  await begun.promise;
  leaving.abort();
  expect(await running).toBe('cut');
  await expect.poll(() => node.guest.abortedUploads).toBe(before + 1);
});

test('a problem of the node ends the use of an ephemeral desktop, too', async () => {
  const socket = join(api.config.home, 'says-no.sock');
  const says = { status: 409, headers: { 'content-type': 'application/problem+json' } };
  const server = Bun.serve({ unix: socket, fetch: () => Response.json({ code: 'stale_frame' }, says) });
  const { services } = api.api;
  const usage = new Usage(services.clock);
  const forwarder = new Forwarder(services, { usage, ways: { socketOf: async () => socket } });
  const answer = await forwarder.forward(
    guestOperations.find(({ operationId }) => operationId === 'click')!,
    {
      caller: (await services.authenticator.authenticate(`Bearer ${api.secret}`))!,
      request: new Request(`http://api${below('/click')}`, { method: 'POST' }),
      requestId: 'request-12345',
      params: { desktopId: id },
      query: {},
      body: undefined,
      bytes: new Uint8Array(),
      peer: undefined,
    },
  );
  await server.stop(true);
  expect(answer.status).toBe(409);
  // It was used until now, and is in use no more.
  expect([usage.take(), usage.isUsed(id)]).toEqual([[id], false]);
});

test('50 MB pass both ways', async () => {
  const bytes = 50_000_000;
  const up = await fetch(api.api.url + below('/files/content?path=big'), {
    method: 'PUT',
    headers: { authorization: `Bearer ${api.secret}` },
    body: new Uint8Array(bytes),
  });
  expect(up.status).toBe(200);
  expect(node.guest.uploadedBytes).toBe(bytes);
  const down = await api.ask('GET', below(`/files/content?path=${bytes}`));
  expect((await down.arrayBuffer()).byteLength).toBe(bytes);
});

test('a desktop that is not ready, not running or not heard is said to be so', async () => {
  const other = await api.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' });
  await api.ask('POST', `/v1/desktops/${other.id}/stop`);
  await api.ask('GET', `/v1/desktops/${other.id}?waitFor=stopped&timeoutSeconds=5`);
  const stopped = await api.expect('takeScreenshot', 409, {
    method: 'GET',
    path: `/v1/desktops/${other.id}/screenshot`,
  });
  expect(stopped).toMatchObject({ code: 'wrong_state', desktopStatus: 'stopped', allowedActions: ['start', 'delete'] });
  await node.guest.stop();
  const gone = await api.ask('GET', below('/screenshot'));
  expect(await expectContract(gone, 'takeScreenshot')).toMatchObject({ code: 'node_unreachable' });
  expect(gone.headers.get('retry-after')).toBe('2');
});
