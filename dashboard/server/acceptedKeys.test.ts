import { generateKeyPairSync } from 'node:crypto';
import { type Clock, systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { AcceptedKeys } from './acceptedKeys.ts';
import type { GatewayConfig } from './config.ts';
import { Gateway } from './gateway.ts';
import { gatewayParts } from './gatewayParts.ts';

/** Who may hold a connection of the gateway for as long as they like. */

let asked = 0;
let isThere = true;
const api = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    if (new URL(request.url).pathname === '/v1/me') asked += 1;
    if (!isThere) return new Response(null, { status: 503 });
    return new Response(null, { status: request.headers.get('authorization') === 'Bearer lb_good' ? 200 : 401 });
  },
});
const apiUrl = `http://127.0.0.1:${api.port}`;
let nowMs = 0;
const clock = { ...systemClock, monotonicMs: () => nowMs } satisfies Clock;
beforeEach(() => {
  [asked, isThere] = [0, true];
});
afterAll(() => api.stop(true));

test('the API is asked about a key once a minute, and about what is none each time', async () => {
  const keys = new AcceptedKeys({ apiUrl, clock });
  expect([await keys.has('Bearer lb_good'), await keys.has('Bearer lb_good'), asked]).toEqual([true, true, 1]);
  expect([await keys.has('Bearer lb_bad'), await keys.has('Bearer lb_bad'), asked]).toEqual([false, false, 3]);
  nowMs += 60_000;
  isThere = false;
  expect([await keys.has('Bearer lb_good'), asked]).toEqual([false, 4]);
});

test('only a request whose key the API takes may be silent', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const config = {
    publicOrigin: 'http://localhost:7000',
    previewDomain: undefined,
    apiUrl,
    mcpUrl: `${apiUrl}/mcp`,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    trustedProxies: [],
    providers: [],
  } as unknown as GatewayConfig;
  const gateway = new Gateway(gatewayParts(config, { clock, log: silentLog }), new Map());
  const isSilent = async (path: string, authorization: string) => {
    let silent = false;
    const request = new Request(config.publicOrigin + path, { headers: { authorization, host: 'localhost:7000' } });
    const visit = { request, url: new URL(request.url), ipAddress: '192.0.2.1', mayBeSilent: () => (silent = true) };
    const answer = await gateway.answer(visit as never, undefined as never);
    return [answer!.status, silent];
  };
  for (const path of ['/v1/desktops', '/mcp']) {
    expect(await isSilent(path, 'Bearer lb_good'), path).toEqual([200, true]);
    expect(await isSilent(path, 'Bearer lb_bad'), path).toEqual([401, false]);
    expect(await isSilent(path, 'Bearer x'), path).toEqual([401, false]);
  }
});
