import { request } from 'node:http';
import { expect, test } from 'vitest';
import { call, eras, startRig } from './test/rig.ts';

/** fetch forbids some headers, so the bare protocol is spoken by hand. */
function post(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Record<string, unknown> }> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers };
    const outgoing = request(url, { method: 'POST', headers: all }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('the door: key, host, origin, path', async () => {
  await using rig = await startRig();
  const authorization = `Bearer ${rig.fake.apiKey}`;
  expect((await post(rig.url, { authorization })).status).toBe(200);
  expect((await post(rig.url, { authorization, origin: 'http://localhost:3000' })).status).toBe(200);
  expect((await post(rig.url, { authorization, origin: 'https://evil.example' })).status).toBe(403);
  expect((await post(rig.url, { authorization, origin: 'null' })).status).toBe(403);
  expect((await post(rig.url, { authorization, host: 'evil.example' })).status).toBe(403);
  expect((await post(rig.url.replace('/mcp', '/other'), { authorization })).status).toBe(404);
  const missing = await post(rig.url, {});
  expect([missing.status, missing.headers['www-authenticate']]).toEqual([401, expect.stringContaining('Bearer')]);
  expect((await post(rig.url, { authorization: 'Bearer lb_live_other' })).status).toBe(401);
  expect((await post(`${rig.url}?toolsets=nonsense`, { authorization })).status).toBe(400);
});

test.each(eras)('a %s client creates, sees, drives and deletes', async (era) => {
  await using rig = await startRig();
  const client = await rig.connect({ era });
  const created = await call(client, 'desktops_create', { name: 'one' });
  const desktopId = String(created.data?.id);
  expect(created.text).toContain('is ready');
  const seen = await call(client, 'desktop_screenshot', { desktopId });
  expect(seen.image?.mimeType).toBe('image/png');
  expect(seen.text).toMatch(/Screenshot fr_0{25}1: 16×10 px of a 1280×800 screen/);
  const typed = await call(client, 'desktop_type', { desktopId, text: 'é€日本語', pressEnter: true });
  expect(typed.text).toContain('1 of 1 done.');
  expect(rig.fake.desktops.get(desktopId)?.actions).toEqual([{ action: 'type', text: 'é€日本語', pressEnter: true }]);
  const first = await call(client, 'desktops_delete', { desktopId });
  expect(first.text).toContain('Nothing was done yet');
  await call(client, 'desktops_delete', { desktopId, confirmToken: first.data?.confirmToken });
  expect(rig.fake.desktops.get(desktopId)?.data.status).toBe('destroyed');
  await client.close();
});

test.each(eras)('a %s client that can ask its user is asked', async (era) => {
  await using rig = await startRig();
  const { id } = await rig.fake.client().desktops.create();
  const client = await rig.connect({ era, elicit: true });
  const questions: string[] = [];
  let agree = false;
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    questions.push(params.message);
    return agree ? { action: 'accept', content: { confirm: true } } : { action: 'decline' };
  });
  const declined = await call(client, 'desktops_delete', { desktopId: id });
  expect([declined.failed, declined.text]).toEqual([true, 'The user did not agree. Nothing was done.']);
  expect(rig.fake.desktops.get(id)?.data.status).toBe('running');
  agree = true;
  expect((await call(client, 'desktops_delete', { desktopId: id })).failed).toBe(false);
  expect(rig.fake.desktops.get(id)?.data.status).toBe('destroyed');
  expect(questions).toEqual(Array(2).fill(`Delete desktop ${id} and everything on its disk for ever?`));
  await client.close();
});

test('toolsets, read-only and pin by address only take away', async () => {
  await using rig = await startRig({ settings: { toolsets: new Set(['desktops', 'files']) } });
  const { id } = await rig.fake.client().desktops.create();
  const names = async (query: string) => {
    const client = await rig.connect({ query });
    const { tools } = await client.listTools();
    await client.close();
    return tools.map((tool) => tool.name);
  };
  expect(await names('?toolsets=files,computer')).toEqual([
    'desktop_files_list',
    'desktop_files_read',
    'desktop_files_write',
    'desktop_files_move',
    'desktop_files_delete',
  ]);
  expect(await names('?readOnly=true')).toEqual([
    'desktops_list',
    'desktops_get',
    'desktops_wait',
    'desktop_files_list',
    'desktop_files_read',
  ]);
  const pinned = await rig.connect({ query: `?desktop=${id}` });
  const { tools } = await pinned.listTools();
  expect(tools.map((tool) => tool.name)).not.toContain('desktops_create');
  expect(JSON.stringify(tools)).not.toContain('desktopId');
  expect((await call(pinned, 'desktops_get')).data?.id).toBe(id);
  await pinned.close();
});

test('a tool call is one REST call', async () => {
  await using rig = await startRig();
  const { id } = await rig.fake.client().desktops.create();
  const client = await rig.connect({ era: 'modern' });
  await call(client, 'desktops_get', { desktopId: id });
  const before = rig.fake.calls.length;
  await call(client, 'desktop_click', { desktopId: id, x: 1, y: 2 });
  expect(rig.fake.calls.slice(before).map(({ method, path }) => `${method} ${path}`)).toEqual([
    `POST /v1/desktops/${id}/actions`,
  ]);
  await client.close();
});

test('a session of the older era belongs to the key that opened it', async () => {
  await using rig = await startRig();
  const authorization = `Bearer ${rig.fake.apiKey}`;
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
  };
  const headers = { authorization, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const opened = await fetch(rig.url, { method: 'POST', headers, body: JSON.stringify(initialize) });
  await opened.text();
  const sessionId = opened.headers.get('mcp-session-id') ?? '';
  expect(sessionId).toHaveLength(36);
  expect((await post(rig.url, { authorization, 'mcp-session-id': sessionId })).status).toBe(200);
  expect((await post(rig.url, { authorization, 'mcp-session-id': crypto.randomUUID() })).status).toBe(404);
  expect((await post(rig.url, { authorization: 'Bearer lb_live_other', 'mcp-session-id': sessionId })).status).toBe(
    401,
  );
  expect(
    (await fetch(rig.url, { method: 'DELETE', headers: { ...headers, 'mcp-session-id': sessionId } })).status,
  ).toBe(200);
  expect((await post(rig.url, { authorization, 'mcp-session-id': sessionId })).status).toBe(404);
});
