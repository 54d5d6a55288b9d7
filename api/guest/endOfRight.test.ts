import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectContract } from '@lebureau/test/contract';
import type { NodeDouble } from '@lebureau/test/doubles/node';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { guestOperations } from './contract.ts';

/** What a right allows in a desktop, and that its end is heard at the node. */

let api: TestApi;
let node: NodeDouble;
let id: string;
beforeAll(async () => {
  api = await startTestApi();
  node = await api.node();
  ({ id } = await api.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' }));
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

/** A key with these, and what takes it back. */
const keyWith = async (capabilities: string[]) => {
  const made = await api.expect<{ key: { id: string }; secret: string }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'one', capabilities },
  });
  return { secret: made.secret, revoke: () => api.ask('DELETE', `/v1/keys/${made.key.id}`) };
};

test('a key that may look alone looks, and nothing else', async () => {
  const { secret } = await keyWith(['desktop:view']);
  const allowed: string[] = [];
  for (const { operationId, method, path } of guestOperations) {
    const response = await api.ask(method, below(filled(path)), { secret, body: method === 'GET' ? undefined : {} });
    await response.body?.cancel();
    if (response.status !== 403) allowed.push(operationId);
  }
  expect(allowed).toEqual(['takeScreenshot', 'listWindows']);
});

/** Sends all but the end of a request, lets its right end, and sends the rest after a while. @returns the status */
async function trickle(secret: string, to: { path: string; body: object; revoke: () => Promise<unknown> }) {
  const { hostname, port } = new URL(api.api.url);
  const socket = connect(Number(port), hostname);
  const text = JSON.stringify(to.body);
  const head = [
    `POST ${to.path} HTTP/1.1`,
    `Host: ${hostname}`,
    `Authorization: Bearer ${secret}`,
    'Content-Type: application/json',
    `Content-Length: ${text.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${text.slice(0, 1)}`);
  await Bun.sleep(100);
  await to.revoke();
  await Bun.sleep(1_200);
  socket.write(text.slice(1));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return Number(answer.toString('latin1').split(' ')[1]);
}

test('a request whose body comes after the end of its right is refused', async () => {
  const before = node.guest.seen.length;
  const run = await keyWith(['desktop:control']);
  expect(await trickle(run.secret, { path: below('/exec'), body: { command: 'late' }, revoke: run.revoke })).toBe(401);
  expect(node.guest.seen.length).toBe(before);
  const make = await keyWith(['keys:write']);
  const body = { name: 'back door', capabilities: ['keys:write'] };
  expect(await trickle(make.secret, { path: '/v1/keys', body, revoke: make.revoke })).toBe(401);
  const good = await keyWith(['keys:write']);
  expect(await trickle(good.secret, { path: '/v1/keys', body, revoke: () => Promise.resolve() })).toBe(201);
});

test('the end of a key cuts what it runs, and nobody else’s', async () => {
  const ended = await keyWith(['desktop:control']);
  const good = await keyWith(['desktop:control']);
  const cut: string[] = [];
  const running: string[] = [];
  const release = Promise.withResolvers<void>();
  node.guest.answer = async (request) => {
    const { command } = (await request.json()) as { command: string };
    running.push(command);
    request.signal.addEventListener('abort', () => cut.push(command));
    await release.promise;
    return undefined;
  };
  const run = (secret: string, command: string) =>
    api.ask('POST', below('/exec'), { secret, body: { command }, headers: { 'idempotency-key': command } });
  const theirs = run(ended.secret, 'theirs');
  const others = run(good.secret, 'others');
  await expect.poll(() => running.length, { timeout: 10_000 }).toBe(2);
  await ended.revoke();
  expect(await expectContract(await theirs, 'exec')).toMatchObject({
    code: 'timeout',
    detail: 'The right to do that has ended meanwhile; it may have been carried out in part.',
  });
  await expect.poll(() => cut, { timeout: 10_000 }).toEqual(['theirs']);
  // Nobody knows how far it came: under its key it is not carried out again.
  const { database } = api.api.services;
  const kept = database.read.selectFrom('idempotency').select('status').where('idempotencyKey', '=', 'theirs');
  expect(await kept.executeTakeFirst()).toEqual({ status: 504 });
  release.resolve();
  expect((await others).status).toBe(200);
  node.guest.answer = undefined;
});

test('a key that is narrowed loses the calls that it may not make any more', async () => {
  await api.ask('PATCH', `/v1/desktops/${id}`, { body: { labels: { team: 'lab' } } });
  for (const narrow of ['capabilities', 'sight'] as const) {
    const made = await api.expect<{ key: { id: string }; secret: string }>('createKey', 201, {
      method: 'POST',
      path: '/v1/keys',
      body: { name: 'narrowed', capabilities: ['desktop:control'], restriction: { labels: { team: 'lab' } } },
    });
    const reached = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    node.guest.answer = async (request) => {
      reached.resolve();
      request.signal.addEventListener('abort', () => told.resolve());
      await told.promise;
      return new Response();
    };
    const running = api.ask('POST', below('/exec'), { secret: made.secret, body: { command: 'sleep 60' } });
    await reached.promise;
    if (narrow === 'sight') await api.ask('PATCH', `/v1/desktops/${id}`, { body: { labels: {} } });
    else
      await api.api.services.database.write(({ db }) =>
        db.updateTable('apiKeys').set({ capabilitiesJson: '["desktop:read"]' }).where('id', '=', made.key.id).execute(),
      );
    await told.promise;
    expect((await running).status, narrow).toBe(504);
    node.guest.answer = undefined;
  }
});

test('the end of a key cuts an upload and a download in the middle', async () => {
  const { secret, revoke } = await keyWith(['files:read', 'files:write']);
  const before = node.guest.abortedUploads;
  const begun = Promise.withResolvers<void>();
  node.guest.uploadedBytes = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new Uint8Array(65_536));
      if (node.guest.uploadedBytes > 0) begun.resolve();
      await Bun.sleep(5);
    },
  });
  const headers = { authorization: `Bearer ${secret}` };
  const up = fetch(api.api.url + below('/files/content?path=cut'), { method: 'PUT', headers, body }).then(
    (response) => response.status,
    () => 'cut',
  );
  await begun.promise;
  const down = await fetch(api.api.url + below(`/files/content?path=${2 ** 40}`), { headers });
  const reader = down.body!.getReader();
  await reader.read();
  await revoke();
  expect([504, 'cut']).toContain(await up);
  await expect.poll(() => node.guest.abortedUploads, { timeout: 10_000 }).toBe(before + 1);
  const readAll = async () => {
    for (;;) {
      const { done } = await reader.read();
      if (done) return 'whole';
      await Bun.sleep(1);
    }
  };
  await expect(readAll()).rejects.toThrow(/closed/);
});

test('an answer that breaks off is no answer, and what it was to is not done again', async () => {
  node.guest.answer = () =>
    Promise.resolve(
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(Buffer.from('{"exitCode"')),
          async pull(controller) {
            await Bun.sleep(50);
            controller.error();
          },
        }),
        { headers: { 'content-type': 'application/json' } },
      ),
    );
  const run = () =>
    api.ask('POST', below('/exec'), { body: { command: 'x' }, headers: { 'idempotency-key': 'breaks-off' } });
  expect(await expectContract(await run(), 'exec')).toMatchObject({ status: 504, code: 'timeout' });
  node.guest.answer = undefined;
  expect(await expectContract(await run(), 'exec')).toMatchObject({ code: 'replay_unavailable' });
});
