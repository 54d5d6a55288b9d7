import { mkdtempSync, statSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test } from 'vitest';
import type { GuestConnection } from './connection.ts';
import { answer, type GuestHandlers } from './operation.ts';
import { serveGuests, type GuestServer } from './server.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const MiB = 1_048_576;
let server: GuestServer | undefined;
afterEach(async () => {
  await server?.close(100);
  server = undefined;
});

function serve(handlers: GuestHandlers, connect = (): GuestConnection => ({}) as GuestConnection) {
  const socket = join(mkdtempSync(join(tmpdir(), 'lebureau-guests-')), 'run', 'guest.sock');
  server = serveGuests({ socket, handlers, connect, clock: systemClock, log: silentLog });
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`http://node/guest/${asg}${path}`, { ...init, unix: socket });
  return { socket, call };
}

test('only its owner may open the socket', () => {
  const { socket } = serve({});
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(statSync(join(socket, '..')).mode & 0o777).toBe(0o700);
});

test('what goes wrong is a problem with the code of the contract; a bug says nothing of itself', async () => {
  const { call } = serve({
    listFiles: () =>
      Promise.reject(new Fault('file_not_found', 'No such folder.', { hint: 'Look.', cause: new Error('secret') })),
    statFile: () => Promise.reject(new Error('secret')),
    exec: () => Promise.reject(new Fault('hypervisor_failed', 'secret')),
    click: () => Promise.reject(new Fault('stale_frame', 'Too old.', { members: { frame: 7, status: 1 } })),
  });
  const problem = async (path: string, init?: RequestInit) => {
    const response = await call(path, init);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const text = await response.text();
    expect(text).not.toContain('secret');
    return JSON.parse(text) as unknown;
  };
  const headers = { 'x-request-id': 'req_1' };
  expect(await problem('/files', { headers })).toMatchObject({
    status: 404,
    code: 'file_not_found',
    detail: 'No such folder.',
    hint: 'Look.',
    requestId: 'req_1',
    retryable: false,
  });
  expect(await problem('/click', { method: 'POST' })).not.toHaveProperty('hint');
  expect(await problem('/files/stat')).toMatchObject({ status: 500, code: 'internal' });
  expect(await problem('/exec', { method: 'POST' })).toMatchObject({ status: 500, code: 'internal' });
  expect(await problem('/click', { method: 'POST' })).toMatchObject({ status: 409, code: 'stale_frame', frame: 7 });
  expect(await problem('/files', { method: 'PATCH' })).toMatchObject({ status: 405, code: 'method_not_allowed' });
  expect(await problem('/nothing')).toMatchObject({ status: 404, code: 'not_found' });
  expect(await problem('/windows')).toMatchObject({ status: 503, code: 'unavailable' });
});

test('a guest that is not ready is said so before its handler runs', async () => {
  const connect = () => {
    throw new Fault('not_ready', 'Not yet.', { retryAfterSeconds: 3 });
  };
  const { call } = serve({ listFiles: () => Promise.resolve(answer({})) }, connect);
  const response = await call('/files');
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '3']);
});

test('a JSON body is bounded and must be JSON', async () => {
  const { call } = serve({ exec: async (_, body) => answer(await body.json()) });
  expect(await (await call('/exec', { method: 'POST', body: '{"a":"é"}' })).json()).toEqual({ a: 'é' });
  expect((await call('/exec', { method: 'POST', body: '{' })).status).toBe(400);
  expect((await call('/exec', { method: 'POST', body: ' '.repeat(9 * MiB) })).status).toBe(413);
});

test('a body streams as fast as it is taken, and an upload that breaks off never looks complete', async () => {
  const ended: string[] = [];
  let largest = 0;
  let seenBytes = 0;
  const { socket, call } = serve({
    writeFile: async (_, upload) => {
      let bytes = 0;
      try {
        for await (const chunk of upload.stream()) {
          bytes += chunk.length;
          seenBytes = bytes;
          largest = Math.max(largest, chunk.length);
        }
        ended.push(`complete ${bytes}`);
      } catch (error) {
        ended.push('broken');
        throw error;
      }
      return answer({ bytes });
    },
  });
  const whole = await call('/files/content', { method: 'PUT', body: new Uint8Array(24 * MiB) });
  expect(await whole.json()).toEqual({ bytes: 24 * MiB });
  expect(largest).toBeLessThan(8 * MiB);
  for (const headers of [{}, { 'content-length': 24 * MiB }]) {
    const request = http.request({ socketPath: socket, method: 'PUT', path: `/guest/${asg}/files/content`, headers });
    request.on('error', () => {});
    const before = ended.length;
    seenBytes = 0;
    request.write(Buffer.alloc(MiB));
    await expect.poll(() => seenBytes).toBeGreaterThan(0);
    request.destroy();
    await expect.poll(() => ended.length).toBe(before + 1);
  }
  expect(ended).toEqual([`complete ${24 * MiB}`, 'broken', 'broken']);
});

test('a slow reader stalls the sender, and one that goes away ends the handler', async () => {
  let sent = 0;
  let cancelled = false;
  let aborted = false;
  const { call } = serve({
    readFile: (_, { signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      const source = {
        pull: (controller: ReadableStreamDefaultController<Uint8Array>) => {
          sent += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
        cancel: () => {
          cancelled = true;
        },
      };
      return Promise.resolve(new Response(new ReadableStream(source, { highWaterMark: 1 })));
    },
  });
  const leave = new AbortController();
  const response = await call('/files/content', { signal: leave.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  await Bun.sleep(100);
  expect(sent).toBeLessThan(32 * MiB);
  leave.abort();
  await expect.poll(() => [cancelled, aborted]).toEqual([true, true]);
});

test('one guest cannot take all calls', async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  let running = 0;
  const listFiles = async () => {
    running += 1;
    return answer(await promise);
  };
  const { call } = serve({ listFiles });
  const calls = Array.from({ length: 64 }, () => call('/files'));
  await expect.poll(() => running).toBe(64);
  expect((await call('/files')).status).toBe(429);
  resolve({});
  expect((await Promise.all(calls)).every((response) => response.status === 200)).toBe(true);
  expect((await call('/files')).status).toBe(200);
});
