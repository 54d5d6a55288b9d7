import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { systemClock } from '@lebureau/kit/clock';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lanCertificate } from '../lanCertificate.ts';
import { type Guard, guardedFetch } from './guardedFetch.ts';
import { isPublicAddress } from './publicAddress.ts';

const home = mkdtempSync(join(tmpdir(), 'lb-guarded-'));
let server: ReturnType<typeof Bun.serve>;
let ca: string;
let pair: { cert: string; key: string };
let asked: string[] = [];
beforeAll(async () => {
  const { certificate, key } = await lanCertificate(home, '127.0.0.1', systemClock.nowMs());
  ca = certificate;
  pair = { cert: certificate, key };
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: pair,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      asked.push(pathname);
      if (pathname === '/redirect') return Response.redirect('https://localhost/elsewhere');
      if (pathname === '/large') return new Response('a'.repeat(5000));
      if (pathname === '/endless')
        return new Response(new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(600)) }));
      if (pathname === '/drip')
        return new Response(
          new ReadableStream({
            async pull(it) {
              it.enqueue(new Uint8Array(1));
              await new Promise((resolve) => setTimeout(resolve, 10));
            },
          }),
        );
      const type = searchParams.get('type');
      if (type !== null) return new Response('{}', { headers: { 'content-type': type } });
      if (pathname === '/slow') await new Promise(() => undefined);
      return Response.json({ host: request.headers.get('host') }, { headers: { 'cache-control': 'max-age=60' } });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  rmSync(home, { recursive: true });
});

const guard = (more: Partial<Guard> = {}): Guard => ({
  resolve: async () => ['127.0.0.1'],
  allowLoopback: true,
  bytesMax: 1000,
  limitMs: 5000,
  ca,
  ...more,
});
const at = (path: string, host = 'localhost') => `https://${host}:${server.port}${path}`;

test('a document is fetched from the address that was looked at, by the name that was asked for', async () => {
  asked = [];
  let resolved = 0;
  // A name that means something else the second time: nobody asks a second time.
  const resolve = async () => [(resolved += 1) === 1 ? '127.0.0.1' : '203.0.113.1'];
  const response = await guardedFetch(at('/client.json'), guard({ resolve }));
  expect(await response.json()).toEqual({ host: `localhost:${server.port}` });
  expect(response.headers.get('cache-control')).toBe('max-age=60');
  expect([resolved, asked]).toEqual([1, ['/client.json']]);
  // The certificate is of another name.
  await expect(guardedFetch(at('/', 'client.example'), guard())).rejects.toThrow(/altname/i);
});

test.each<[string, boolean]>([
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['Application/Vnd.Client+JSON', true],
  ['text/plain; charset=utf-8', false],
  ['text/html', false],
  ['application/octet-stream', false],
  ['text/json', false],
  ['application/jsonp', false],
  ['text/plain; x=application/json', false],
  ['', false],
])('a document that says it is %j: %s', async (type, isTaken) => {
  const fetched = guardedFetch(at(`/client.json?type=${encodeURIComponent(type)}`), guard());
  if (isTaken) expect(await (await fetched).text()).toBe('{}');
  else await expect(fetched).rejects.toThrow('content type');
});

test.each<[string, string | RegExp, number?]>([
  ['/redirect', 'answered 302'],
  ['/large', 'too large'],
  ['/endless', 'too large'],
  ['/drip', /abort|timed out|too long/i, 50],
  ['/slow', /abort|timed out|too long/i, 50],
])('%s is not followed to its end', async (path, said, limitMs = 5000) => {
  asked = [];
  await expect(guardedFetch(at(path), guard({ limitMs }))).rejects.toThrow(said);
  // With so little time it may end before anything was asked.
  expect(asked).toEqual(limitMs === 5000 ? [path] : expect.any(Array));
});

test.each<[string, string]>([
  ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
  ['says only to go on', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['stops in a header', 'HTTP/1.1 200 OK\r\nx'],
  ['stops in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc'],
])('one that %s is given up', async (_name, said) => {
  const odd = createServer(pair, (socket) => {
    socket.on('error', () => undefined);
    socket.write(said);
  });
  await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
  const { port } = odd.address() as { port: number };
  const all = Array.from({ length: 20 }, () => guardedFetch(`https://localhost:${port}/`, guard({ limitMs: 120 })));
  const results = await Promise.allSettled(all);
  expect(results.map(({ status }) => status)).toEqual(results.map(() => 'rejected'));
  odd.close();
  expect((await guardedFetch(at('/client.json'), guard())).status).toBe(200);
});

test('a name that is not resolved in time is given up', async () => {
  const resolve = () => new Promise<never>(() => undefined);
  await expect(guardedFetch(at('/'), guard({ resolve, limitMs: 20 }))).rejects.toThrow('too long');
});

test.each([
  [['127.0.0.1']],
  [['203.0.114.7', '127.0.0.1']],
  [['::ffff:127.0.0.1']],
  [['10.1.2.3']],
  [['169.254.169.254']],
  [[]],
])('a name of %j is never connected to', async (addresses) => {
  asked = [];
  const refused = guard({ allowLoopback: false, resolve: async () => addresses });
  await expect(guardedFetch('https://client.example/client.json', refused)).rejects.toThrow(/internet|no address/);
  expect(asked).toEqual([]);
});

test.each([
  'http://client.example/',
  'ftp://client.example/',
  'https://user@client.example/',
  'https://client.example:8443/',
  'https://127.0.0.1/',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://[::1]/',
  'https://[::ffff:7f00:1]/',
])('%s is refused before anything is connected to', async (url) => {
  const refused = guard({ allowLoopback: false, resolve: async () => ['203.0.114.7'] });
  await expect(guardedFetch(url, refused)).rejects.toThrow(/only|credentials|internet/);
});

test('what is no address of the internet, in every way it can be written', () => {
  const inside = [
    '0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1',
    '192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255',
    ':: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::1 100::1',
    '2001:db8::1 2002:7f00:1:: 2001::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1 fe80::1%eth0 nonsense 1.2.3 ',
  ]
    .join(' ')
    .split(' ');
  expect(inside.filter((address) => isPublicAddress(address))).toEqual([]);
  const outside = ['1.1.1.1', '8.8.8.8', '203.0.114.7', '::ffff:8.8.8.8', '2606:4700:4700::1111', '2a00:1450::1'];
  expect(outside.filter((address) => !isPublicAddress(address))).toEqual([]);
});
