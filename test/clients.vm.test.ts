import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { LeBureau } from '@lebureau/sdk';
import { CapabilityMissingError, NotFoundError, UnauthenticatedError } from '@lebureau/sdk/errors';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkedFetch } from './contract.ts';
import { type NodeDouble, startNodeDouble } from './doubles/node.ts';
import { type Service, startService, waitFor } from './system/product.ts';

/** SDK and MCP server against the real API as a process; behind it a node without machines. */

let service: Service;
let node: NodeDouble;
let bureau: LeBureau;

beforeAll(async () => {
  service = await startService({ programs: ['api', 'mcp'], environment: { LEBUREAU_RATE_LIMITS: 'off' } });
  const run = join(service.home, 'run');
  node = await startNodeDouble({ apiSocket: join(run, 'api-node.sock'), guestSocket: join(run, 'guest.sock') });
  node.guest.answer = (request) => {
    const { pathname, searchParams } = new URL(request.url);
    return pathname.endsWith('/screenshot') && searchParams.get('as') === 'json'
      ? Response.json(screenshot)
      : undefined;
  };
  bureau = new LeBureau({ baseUrl: service.baseUrl, apiKey: service.apiKey, fetch: checkedFetch });
});
afterAll(async () => {
  for await (const desktop of bureau.desktops.list()) await desktop.delete();
  await waitFor(
    async () => (await bureau.desktops.list()).data.length === 0,
    () => 'desktops stay',
  );
  await node.stop();
  await service.close();
});

const screenshot = {
  frame: {
    frameId: `fr_${'0'.repeat(26)}`,
    width: 1280,
    height: 800,
    scale: 1,
    screenWidth: 1280,
    screenHeight: 800,
    region: { x: 0, y: 0, width: 1280, height: 800 },
    hash: 'a',
    takenAt: '2026-01-01T00:00:00.000Z',
  },
  unchanged: false,
  images: [{ format: 'webp', width: 1280, height: 800, x: 0, y: 0, data: 'AAAA' }],
};

test('the SDK walks a desktop through its life, and hears of it', async () => {
  const controller = new AbortController();
  const types: string[] = [];
  const listening = (async () => {
    for await (const event of bureau.events.stream({ signal: controller.signal })) {
      types.push(event.type);
      if (event.type === 'desktop.destroyed') controller.abort();
    }
  })();
  const desktop = await bureau.desktops.create({ name: 'one', labels: { team: 'a' }, ephemeral: true });
  await desktop.wait();
  expect([desktop.data.status, desktop.data.ready, desktop.data.labels]).toEqual(['running', true, { team: 'a' }]);
  await desktop.update({ name: 'two' });
  expect((await bureau.desktops.get(desktop.id)).data.name).toBe('two');
  await desktop.stop();
  await desktop.wait('stopped');
  await desktop.start();
  await desktop.wait();
  expect((await desktop.computer.screenshot()).frame.screenWidth).toBeGreaterThan(0);
  expect((await desktop.exec('true')).exitCode).toBeTypeOf('number');
  const before = node.guest.uploadedBytes;
  const chunks = async function* () {
    for (let n = 0; n < 64; n++) yield new Uint8Array(65_536);
  };
  await desktop.files.write('big', chunks());
  expect(node.guest.uploadedBytes - before).toBe(64 * 65_536);
  await desktop.delete();
  await desktop.wait('destroyed');
  await listening;
  expect(types).toEqual(
    expect.arrayContaining(['desktop.created', 'desktop.ready', 'desktop.stopped', 'desktop.destroyed']),
  );
});

test('pages, keys and errors are as the SDK says', async () => {
  const made = await Promise.all(Array.from({ length: 5 }, (_, n) => bureau.desktops.create({ name: `page ${n}` })));
  const ids: string[] = [];
  for await (const desktop of bureau.desktops.list({ limit: 2 })) ids.push(desktop.id);
  expect(ids.toSorted()).toEqual(made.map((desktop) => desktop.id).toSorted());
  const { key, secret } = await bureau.keys.create({ name: 'small', capabilities: ['desktop:read'] });
  const small = new LeBureau({ baseUrl: service.baseUrl, apiKey: secret ?? '', fetch: checkedFetch });
  expect((await small.me()).capabilities).toEqual(['desktop:read']);
  await expect(small.desktops.create()).rejects.toBeInstanceOf(CapabilityMissingError);
  await expect(small.desktops.get(`dsk_${'0'.repeat(26)}`)).rejects.toBeInstanceOf(NotFoundError);
  await bureau.keys.revoke(key.id);
  await waitFor(
    async () => (await small.me().catch((error: unknown) => error)) instanceof UnauthenticatedError,
    () => 'a revoked key still works',
  );
});

test.each(['legacy', 'modern'] as const)('a %s MCP client over HTTP', async (era) => {
  const mode = era === 'modern' ? { pin: '2026-07-28' } : ('legacy' as const);
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } });
  const requestInit = { headers: { authorization: `Bearer ${service.apiKey}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(service.mcpUrl), { requestInit }));
  const { tools } = await client.listTools();
  expect(tools).toHaveLength(26);
  const made = await client.callTool({ name: 'desktops_create', arguments: { name: 'by mcp' } });
  const { id } = made.structuredContent as { id: string };
  for (const [name, args] of Object.entries(everyHand)) {
    const result = await client.callTool({ name, arguments: { desktopId: id, ...args } });
    expect([name, result.isError ?? false, result.content]).toEqual([name, false, expect.anything()]);
  }
  await client.close();
});

const everyHand: Record<string, object> = {
  desktops_get: {},
  desktops_wait: {},
  desktop_screenshot: { region: { x: 0, y: 0, width: 100, height: 100 }, maxEdge: 500 },
  desktop_click: { x: 1, y: 2, button: 'right', count: 2, modifiers: ['ctrl'] },
  desktop_type: { text: 'é', pressEnter: true, clearFirst: true, method: 'paste' },
  desktop_key: { key: 'ctrl+a', repeat: 2 },
  desktop_scroll: { x: 1, y: 2, dy: 3, dx: 1, unit: 'wheel' },
  desktop_drag: { startX: 1, startY: 2, endX: 3, endY: 4, durationMs: 10 },
  desktop_actions: {
    quietMs: 100,
    actions: [
      { action: 'move', x: 1, y: 2 },
      { action: 'holdKey', keys: ['a'], durationMs: 10 },
      { action: 'waitUntil', until: 'stable', quietMs: 100 },
      { action: 'zoom', region: { x: 0, y: 0, width: 10, height: 10 } },
      { action: 'openUrl', url: 'about:blank' },
    ],
  },
  desktop_windows: {},
  desktop_clipboard_set: { text: 'x' },
  desktop_clipboard_get: {},
  desktop_exec: { command: 'true', cwd: '/', user: 'root', stdin: 'x', timeoutSeconds: 5 },
  desktop_bash: { script: 'true' },
  desktop_exec_python: { code: 'pass' },
  desktop_files_list: { path: '/', limit: 10 },
  desktop_files_read: { path: '1000' },
  desktop_files_write: { path: 'a', content: 'eA==', encoding: 'base64', mode: '0600', overwrite: false },
  desktop_files_move: { from: 'a', to: 'b', overwrite: true },
  desktop_files_delete: { path: 'b' },
  desktops_restart: {},
};
