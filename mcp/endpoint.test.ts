import { McpServer } from '@modelcontextprotocol/server';
import { expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};

function post(body: object, headers: Record<string, string> = {}): Request {
  const all = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers };
  return new Request('http://127.0.0.1/mcp', { method: 'POST', headers: all, body: JSON.stringify(body) });
}

test('sessions belong to their owner, are bounded, and end when nobody uses them', async () => {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
  const create = () => new McpServer({ name: 't', version: '1' }, { capabilities: { tools: {} } });
  const endpoint = new Endpoint(create, { clock, onerror: () => {}, sessionsMax: 3, sessionIdleMs: 1000 });
  const open = async (owner: string) => {
    const response = await endpoint.fetch(post(initialize), { owner });
    await response.text();
    return response.headers.get('mcp-session-id') ?? '';
  };
  const ping = async (id: string, owner: string) => {
    const response = await endpoint.fetch(post({ jsonrpc: '2.0', id: 2, method: 'ping' }, { 'mcp-session-id': id }), {
      owner,
    });
    await response.text();
    return response.status;
  };
  const first = await open('a');
  expect([await ping(first, 'a'), await ping(first, 'b')]).toEqual([200, 404]);
  const second = await open('a');
  const third = await open('b');
  expect(await ping(first, 'a')).toBe(200);
  const fourth = await open('b');
  // The second was used longest ago.
  expect(await Promise.all([ping(first, 'a'), ping(second, 'a'), ping(third, 'b'), ping(fourth, 'b')])).toEqual([
    200, 404, 200, 200,
  ]);
  nowMs = 2000;
  const fifth = await open('a');
  expect(await Promise.all([ping(first, 'a'), ping(third, 'b'), ping(fifth, 'a')])).toEqual([404, 404, 200]);
  await endpoint.close();
});
