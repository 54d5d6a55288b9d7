import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeBureau } from './client.ts';
import type { Desktop } from './desktop.ts';
import { LeBureauError } from './faults.ts';

const id = `dsk_${'0'.repeat(26)}`;
const leaseToken = `lease_${'A'.repeat(43)}`;
const holder = { kind: 'human', name: 'Ada', by: null, takenAt: '2026-11-20T10:00:00.000Z' };
const expiresAt = '2026-11-20T10:02:00.000Z';

let seen: { call: string; body: string; lease: string | null }[];
let texts: string[];
let closeWith: number | undefined;
let server: Bun.Server<undefined>;
let desktop: Desktop;

/** The part of the API that streams use; a stream gives back what it gets. */
beforeEach(() => {
  seen = [];
  texts = [];
  closeWith = undefined;
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, it) {
      const { pathname, searchParams } = new URL(request.url);
      if (request.headers.get('upgrade') === 'websocket') {
        if (searchParams.get('ticket') !== 'lbt_good') return new Response('no', { status: 401 });
        it.upgrade(request);
        return undefined;
      }
      const call = `${request.method} ${pathname.replace(`/v1/desktops/${id}`, '')}`;
      seen.push({ call, body: await request.text(), lease: request.headers.get('control-lease') });
      const { kind } = JSON.parse(seen.at(-1)!.body || '{}') as { kind?: string };
      const path = `/v1/desktops/${id}/streams/${kind}`;
      if (call === 'POST /streams')
        return Response.json({
          kind,
          path,
          ticket: kind === 'port' ? 'lbt_bad' : 'lbt_good',
          expiresAt,
          terminalName: 'main',
        });
      if (call === 'POST /control') return Response.json({ holder, expiresAt, leaseToken });
      if (call === 'DELETE /control') return new Response(null, { status: 204 });
      return Response.json({ holder: null, expiresAt: null });
    },
    websocket: {
      open: (socket) => {
        socket.sendText(JSON.stringify({ type: 'control', holder, expiresAt, isYours: false }));
        if (closeWith !== undefined) socket.close(closeWith, 'the key is revoked');
      },
      message: (socket, message) => {
        if (typeof message === 'string') texts.push(message);
        else socket.sendBinary(message);
      },
    },
  });
  desktop = new LeBureau({ apiKey: 'lb_live_x', baseUrl: `http://127.0.0.1:${server.port}` }).desktop(id);
});
afterEach(() => server.stop(true));

test('a stream is opened with its ticket, sends in pieces and is read by iterating', async () => {
  await using stream = await desktop.streams.terminal({ name: 'work', columns: 100 });
  expect(JSON.parse(seen[0]!.body)).toEqual({ kind: 'terminal', terminalName: 'work', columns: 100 });
  await stream.send(new Uint8Array(200_000));
  let got = 0;
  for await (const piece of stream) {
    got += piece.length;
    if (got >= 200_000) break;
  }
  expect(got).toBe(200_000);
  stream.resize(120, 40);
  await expect.poll(() => texts).toEqual(['{"type":"resize","columns":120,"rows":40}']);
});

test('a stream that is refused throws, and one that is closed says why', async () => {
  await expect(desktop.streams.port(80)).rejects.toThrow(LeBureauError);
  closeWith = 4403;
  const stream = await desktop.streams.screen();
  expect(await stream.closed).toEqual({ code: 4403, reason: 'the key is revoked' });
  for await (const _ of stream) throw new Error('nothing was sent');
  await expect(stream.send('late')).rejects.toThrow('closed');
});

test('a runtime without WebSocket is said so', async () => {
  const native = globalThis.WebSocket;
  try {
    Object.assign(globalThis, { WebSocket: undefined });
    await expect(desktop.streams.screen()).rejects.toThrow('This runtime has no WebSocket');
  } finally {
    Object.assign(globalThis, { WebSocket: native });
  }
});

test('control that was taken goes with calls and streams, until it is handed back', async () => {
  {
    await using lease = await desktop.control.take({ kind: 'human', name: 'Ada' });
    expect([lease.holder.name, lease.expiresAt]).toEqual(['Ada', expiresAt]);
    await desktop.control.get();
    const stream = await desktop.streams.screen('control');
    await expect.poll(() => texts).toEqual([JSON.stringify({ type: 'control', leaseToken })]);
    const heard: unknown[] = [];
    stream.onControl((message) => heard.push(message.isYours));
    expect(heard).toEqual([false]);
    await lease.renew(60);
    expect(JSON.parse(seen.at(-1)!.body)).toEqual({ kind: 'human', leaseToken, ttlSeconds: 60 });
    stream.close();
  }
  expect(seen.at(-1)).toMatchObject({ call: 'DELETE /control', lease: leaseToken });
  await desktop.control.get();
  expect(seen.at(-1)!.lease).toBeNull();
});
