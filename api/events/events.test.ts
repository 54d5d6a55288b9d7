import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectComponent } from '@lebureau/test/contract';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { parsePosition, purgeEvents } from './store.ts';

interface Sent {
  id: string;
  event: string;
  data: { type: string; desktopId: string | null; requestId: string | null; actor: { type: string } };
}

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await api.node();
});
afterAll(() => api.stop());

/** Reads server-sent events until one has this type. */
async function follow(options: {
  until: string;
  after?: string;
  query?: string;
  secret?: string;
  /** The position is taken: what happens from now on is heard. */
  onBegun?: () => void;
}): Promise<Sent[]> {
  const leaving = new AbortController();
  const headers: Record<string, string> = options.after === undefined ? {} : { 'last-event-id': options.after };
  const response = await api.ask('GET', `/v1/events${options.query ?? ''}`, {
    headers,
    signal: leaving.signal,
    secret: options.secret,
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  options.onBegun?.();
  const sent: Sent[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      if (block.startsWith(':')) continue;
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      sent.push({ id: fields['id']!, event: fields['event']!, data: JSON.parse(fields['data']!) as Sent['data'] });
    }
    if (sent.some((each) => each.event === options.until)) break;
  }
  leaving.abort();
  return sent;
}

async function create(name: string): Promise<string> {
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { name },
    headers: { 'x-request-id': `request-${name}` },
  });
  return id;
}

test('the life of a desktop is told in order, and a reader goes on where it stopped', async () => {
  const id = await create('first');
  const begun = await follow({ until: 'desktop.ready', after: '0' });
  for (const { data } of begun) expectComponent(data, 'Event');
  expect(begun.filter((each) => each.data.desktopId === id).map((each) => each.event)).toEqual([
    'desktop.created',
    'desktop.started',
    'desktop.ready',
  ]);
  expect(begun[0]!.data).toMatchObject({ requestId: 'request-first', actor: { type: 'key', name: 'test' } });
  await api.ask('DELETE', `/v1/desktops/${id}`);
  const rest = await follow({ until: 'desktop.destroyed', after: begun.at(-1)!.id });
  expect(rest.map((each) => each.event)).toEqual(['desktop.destroying', 'desktop.destroyed']);
});

test('a stream without a position begins now and is woken by what happens', async () => {
  const begun = Promise.withResolvers<void>();
  const query = '?type=desktop.created,desktop.started';
  const reading = follow({ until: 'desktop.started', query, onBegun: begun.resolve });
  await begun.promise;
  const id = await create('second');
  const sent = await reading;
  expect(sent.map((each) => [each.event, each.data.desktopId])).toEqual([
    ['desktop.created', id],
    ['desktop.started', id],
  ]);
});

test('a restricted key hears only of its desktops, and a revoked one nothing more', async () => {
  const { secret, key } = await api.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'r', capabilities: ['events:read'], restriction: { labels: { team: 'a' } } },
  });
  await create('other');
  await api.ask('POST', '/v1/desktops', { body: { labels: { team: 'a' }, name: 'mine' } });
  const sent = await follow({ until: 'desktop.ready', after: '0', secret });
  expect(new Set(sent.map((each) => each.data.desktopId)).size).toBe(1);
  const response = await api.ask('GET', '/v1/events', { secret });
  const reader = response.body!.getReader();
  await reader.read();
  await api.ask('DELETE', `/v1/keys/${key.id}`);
  const end = await Promise.race([reader.read(), Bun.sleep(2000).then(() => undefined)]);
  expect(end).toMatchObject({ done: true });
});

test('what happened to a desktop is read backwards, page by page, by whoever sees it', async () => {
  const id = await create('told');
  await follow({ until: 'desktop.ready', after: '0', query: `?desktopId=${id}` });
  for (const name of ['a', 'b', 'c', 'd']) await api.ask('PATCH', `/v1/desktops/${id}`, { body: { name } });
  const other = await create('not told');
  await api.ask('DELETE', `/v1/desktops/${id}`);
  await follow({ until: 'desktop.destroyed', after: '0', query: `?desktopId=${id}` });
  interface Listed {
    data: { id: string; type: string; desktopId: string }[];
    nextCursor: string | null;
  }
  const read = (query: string, secret?: string) =>
    api.expect<Listed>('listDesktopEvents', 200, { method: 'GET', path: `/v1/desktops/${id}/events${query}`, secret });
  const all = await read('');
  expect(all.data.map(({ type }) => type.replace('desktop.', ''))).toEqual([
    'destroyed',
    'destroying',
    ...Array<string>(4).fill('updated'),
    'ready',
    'started',
    'created',
  ]);
  expect(all.nextCursor).toBeNull();
  const paged: Listed['data'] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await read(`?limit=2${cursor && `&cursor=${cursor}`}`);
    expect(page.data.length).toBeLessThanOrEqual(2);
    paged.push(...page.data);
    cursor = page.nextCursor;
  }
  expect(paged).toEqual(all.data);
  const some = await read('?limit=3&type=desktop.updated,desktop.created');
  expect(some.data.map(({ type }) => type)).toEqual(Array<string>(3).fill('desktop.updated'));
  // A cursor is of one list and one filter; who does not see the desktop is told of none.
  const path = `/v1/desktops/${other}/events?limit=3`;
  for (const query of [`&cursor=${some.nextCursor}`, '&cursor=x'])
    await api.expect('listDesktopEvents', 400, { method: 'GET', path: path + query });
  const { secret } = await api.expect<{ secret: string }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'r', capabilities: ['events:read'], restriction: { desktopIds: [id] } },
  });
  expect((await read('', secret)).data).toHaveLength(9);
  await api.expect('listDesktopEvents', 404, { method: 'GET', path, secret });
});

test('a position past retention is gone', async () => {
  const { database, clock } = api.api.services;
  const [first] = await follow({ until: 'desktop.created', after: '0' });
  expect(await database.write((write) => purgeEvents(write, database.flavour, clock.nowMs() + 1))).toBeGreaterThan(5);
  const gone = await api.expect('streamEvents', 410, { method: 'GET', path: `/v1/events?after=${first!.id}` });
  expect(gone).toMatchObject({ code: 'position_expired' });
  await api.expect('streamEvents', 400, { method: 'GET', path: '/v1/events?after=soon' });
});

test('a position has numbers that the database holds', async () => {
  const invalid = expect.objectContaining({ code: 'invalid_request' }) as Error;
  expect(parsePosition('9223372036854775807', 'sqlite').row).toBe('9223372036854775807');
  expect(() => parsePosition('9223372036854775808', 'sqlite')).toThrow(invalid);
  expect(parsePosition('7-9223372036854775807', 'postgres').row).toBe('9223372036854775807');
  expect(() => parsePosition('7-9223372036854775808', 'postgres')).toThrow(invalid);
  expect(() => parsePosition('9223372036854775808-7', 'postgres')).toThrow(invalid);
  await api.expect('streamEvents', 400, { method: 'GET', path: `/v1/events?after=${'9'.repeat(19)}` });
});
