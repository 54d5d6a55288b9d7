import type { NodeDouble } from '@lebureau/test/doubles/node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { testGateway } from '../testing/gateway.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { purgeTickets, ticketLifeMs } from './tickets.ts';

interface Ticket {
  ticket: string;
  path: string;
  terminalName?: string;
}

let api: TestApi;
let node: NodeDouble;
let desktopId: string;
let otherId: string;
const open: WebSocket[] = [];
beforeAll(async () => {
  api = await startTestApi({ config: { streamOrigins: ['https://desk.example'] } });
  node = await api.node();
  [desktopId, otherId] = await Promise.all([ready(), ready()]);
});
afterEach(() => {
  node.guest.answer = undefined;
  for (const socket of open.splice(0)) socket.close();
  return expect.poll(() => node.guest.streams.length).toBe(0);
});
afterAll(() => api.stop());

async function ready(): Promise<string> {
  const made = { method: 'POST', path: '/v1/desktops', body: { network: 'none' } };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, made);
  const path = `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=20`;
  await api.expect('getDesktop', 200, { method: 'GET', path });
  return id;
}

const ticketFor = (body: object = { kind: 'vnc' }, more: { id?: string; secret?: string; headers?: object } = {}) =>
  api.expect<Ticket>('createStream', 201, {
    method: 'POST',
    path: `/v1/desktops/${more.id ?? desktopId}/streams`,
    body,
    ...(more.secret === undefined ? {} : { secret: more.secret }),
    headers: { ...more.headers },
  });

/** The status and code with which a WebSocket is refused. */
async function connect(path: string, ticket: string | undefined, headers: Record<string, string> = {}) {
  const query = ticket === undefined ? '' : `?ticket=${ticket}`;
  const answer = await fetch(`${api.api.url}${path}${query}`, {
    headers: {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...headers,
    },
  });
  const { code } = (await answer.json().catch(() => ({ code: 'open' }))) as { code: string };
  return { status: answer.status, code };
}

async function socketFor(to: Ticket, headers: Record<string, string> = {}): Promise<WebSocket> {
  const url = `${api.api.url.replace('http', 'ws')}${to.path}?ticket=${to.ticket}`;
  const socket = new WebSocket(url, { headers } as never);
  socket.binaryType = 'arraybuffer';
  open.push(socket);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  return socket;
}

const closed = (socket: WebSocket) =>
  new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code), { once: true }));

async function keyWith(capabilities: string[], restriction?: object): Promise<{ id: string; secret: string }> {
  const body = { name: 'viewer', capabilities, ...(restriction ? { restriction } : {}) };
  const request = { method: 'POST', path: '/v1/keys', body };
  const made = await api.expect<{ key: { id: string }; secret: string }>('createKey', 201, request);
  return { id: made.key.id, secret: made.secret };
}

test('a ticket opens a stream, which carries bytes and text both ways', async () => {
  const made = await ticketFor({ kind: 'vnc', mode: 'control' });
  const socket = await socketFor(made);
  const got: unknown[] = [];
  socket.addEventListener('message', ({ data }) => got.push(typeof data === 'string' ? data : data.byteLength));
  socket.send(Buffer.alloc(70_000));
  socket.send('{"type":"control"}');
  await expect
    .poll(() => got.reduce<number>((sum, each) => sum + (typeof each === 'number' ? each : 0), 0))
    .toBe(70_000);
  expect(got).toContain('{"type":"control"}');
  const [stream] = node.guest.streams;
  expect(stream!.url.pathname).toMatch(/^\/guest\/asg_\w+\/streams\/vnc$/);
  expect(stream!.url.searchParams.get('mode')).toBe('control');
  expect(stream!.caller).toMatch(/^key_/);
});

test('the node is asked before a ticket is given, for the person behind a key, and what it says is passed on', async () => {
  const asked: [string, string | null, string | null][] = [];
  const hint = 'Close one of them, then open this one.';
  node.guest.answer = ({ url, headers }) => {
    asked.push([new URL(url).pathname.split('/').at(-1)!, headers.get('x-behind'), headers.get('x-caller')]);
    return Response.json({ code: 'rate_limited', detail: 'You have 8 screens.', hint }, { status: 429 });
  };
  const request = { method: 'POST', path: `/v1/desktops/${desktopId}/streams`, body: { kind: 'vnc' } };
  const full = await api.expect<{ detail: string; hint: string }>('createStream', 429, request);
  expect([full.detail, full.hint]).toEqual(['You have 8 screens.', hint]);
  const invited = { method: 'POST', path: '/v1/sign-in-links', body: { role: 'member' } };
  const { token } = await api.expect<{ token: string }>('createSignInLink', 201, invited);
  const ada = await testGateway(api).byLink(token);
  const wish = { method: 'POST', path: '/v1/keys', body: { name: 'a', capabilities: ['desktop:view'] } };
  type Made = { key: { id: string }; secret: string };
  const made = await api.expect<Made>('createKey', 201, { ...wish, secret: ada.assertion });
  await api.expect('createStream', 429, { ...request, secret: ada.assertion });
  await api.expect('createStream', 429, { ...request, secret: made.secret });
  const { id } = ada.user;
  expect(asked.slice(1)).toEqual([
    ['vnc', id, id],
    ['vnc', id, made.key.id],
  ]);
  // Of a key that is nobody's, it is the key.
  expect(asked[0]).toEqual(['vnc', expect.stringMatching(/^key_/), asked[0]![1]]);
});

test('a ticket is good once, also for two who come at the same moment', async () => {
  const { path, ticket } = await ticketFor();
  const sockets = Array.from(
    { length: 5 },
    () => new WebSocket(`${api.api.url.replace('http', 'ws')}${path}?ticket=${ticket}`),
  );
  open.push(...sockets);
  const outcomes = await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<string>((resolve) => {
          socket.addEventListener('open', () => resolve('open'), { once: true });
          socket.addEventListener('error', () => resolve('refused'), { once: true });
        }),
    ),
  );
  expect(outcomes.toSorted()).toEqual(['open', 'refused', 'refused', 'refused', 'refused']);
  expect(await connect(path, ticket)).toEqual({ status: 401, code: 'ticket_refused' });
});

test('a ticket of another desktop, of another kind, made up or missing is refused, and a misused one is spent', async () => {
  const { path, ticket } = await ticketFor();
  expect(await connect(path.replace(desktopId, otherId), ticket)).toMatchObject({ code: 'ticket_refused' });
  expect(await connect(path, ticket)).toMatchObject({ code: 'ticket_refused' });
  const second = await ticketFor();
  expect(await connect(path.replace('vnc', 'terminal'), second.ticket)).toMatchObject({ code: 'ticket_refused' });
  expect(await connect(path, second.ticket)).toMatchObject({ code: 'ticket_refused' });
  expect(await connect(path, `lbt_${'A'.repeat(43)}`)).toMatchObject({ status: 401, code: 'ticket_refused' });
  expect(await connect(path, undefined)).toMatchObject({ status: 401, code: 'ticket_refused' });
  // A key is no ticket.
  const bearer = { authorization: `Bearer ${api.secret}` };
  expect(await connect(path, undefined, bearer)).toMatchObject({ code: 'ticket_refused' });
});

test('a person’s ticket opens nothing without that person, for whom the gateway speaks', async () => {
  const gateway = testGateway(api);
  const owner = await gateway.owner();
  const invited = { method: 'POST', path: '/v1/sign-in-links', body: { role: 'member' }, secret: owner.assertion };
  const { token } = await api.expect<{ token: string }>('createSignInLink', 201, invited);
  const member = await gateway.byLink(token);
  const speaking = (bearer: string) => ({ authorization: `Bearer ${bearer}` });
  for (const headers of [{}, speaking(member.assertion), speaking(api.secret), speaking('x.y.z')]) {
    const { path, ticket } = await ticketFor({ kind: 'vnc' }, { secret: owner.assertion });
    expect((await connect(path, ticket, headers)).status).toBe(401);
    expect(await connect(path, ticket, speaking(owner.assertion))).toMatchObject({ code: 'ticket_refused' });
  }
  expect(node.guest.streams).toHaveLength(0);
  await socketFor(await ticketFor({ kind: 'vnc' }, { secret: owner.assertion }), speaking(owner.assertion));
  await expect.poll(() => node.guest.streams.length).toBe(1);
});

test('a ticket that is too old is refused', async () => {
  const { path, ticket } = await ticketFor();
  const { database, clock } = api.api.services;
  await database.write(({ db }) =>
    db.updateTable('streamTickets').set({ expiresMs: clock.nowMs() }).where('desktopId', '=', desktopId).execute(),
  );
  expect(await connect(path, ticket)).toMatchObject({ code: 'ticket_refused' });
  await ticketFor();
  await database.write((write) => purgeTickets(write, clock.nowMs() + ticketLifeMs + 1));
  expect(await database.read.selectFrom('streamTickets').selectAll().execute()).toEqual([]);
});

test('pages of other origins are refused, and do not spend the ticket', async () => {
  const { path, ticket } = await ticketFor();
  for (const origin of ['https://evil.example', 'null', 'https://desk.example.evil.example', api.api.url])
    expect(await connect(path, ticket, { origin })).toEqual({ status: 403, code: 'origin_refused' });
  await socketFor({ path, ticket }, { origin: 'https://desk.example' });
});

test('revoking the key ends its streams within two seconds, and its tickets at once', async () => {
  const key = await keyWith(['desktop:control']);
  const other = await socketFor(await ticketFor());
  const socket = await socketFor(await ticketFor({ kind: 'vnc' }, { secret: key.secret }));
  const unused = await ticketFor({ kind: 'vnc' }, { secret: key.secret });
  const end = closed(socket);
  const beganMs = performance.now();
  await api.ask('DELETE', `/v1/keys/${key.id}`);
  expect(await connect(unused.path, unused.ticket)).toMatchObject({ code: 'ticket_refused' });
  expect(await end).toBe(4403);
  expect(performance.now() - beganMs).toBeLessThan(2000);
  expect(other.readyState).toBe(WebSocket.OPEN);
  await expect.poll(() => node.guest.streams.length).toBe(1);
});

test('deleting or stopping the desktop ends its streams', async () => {
  for (const [method, action] of [
    ['DELETE', ''],
    ['POST', '/stop'],
  ] as const) {
    const id = await ready();
    const socket = await socketFor(await ticketFor({ kind: 'vnc' }, { id }));
    const end = closed(socket);
    await api.ask(method, `/v1/desktops/${id}${action}`);
    expect(await end).toBe(4404);
  }
});

test('a key that no longer sees the desktop loses its streams', async () => {
  await api.ask('PATCH', `/v1/desktops/${desktopId}`, { body: { labels: { team: 'lab' } } });
  const key = await keyWith(['desktop:control'], { labels: { team: 'lab' } });
  const socket = await socketFor(await ticketFor({ kind: 'vnc' }, { secret: key.secret }));
  const end = closed(socket);
  await api.ask('PATCH', `/v1/desktops/${desktopId}`, { body: { labels: {} } });
  expect(await end).toBe(4404);
});

test('who may not, or does not see it, gets no ticket; nor does a desktop that is off', async () => {
  const path = `/v1/desktops/${desktopId}/streams`;
  const reader = await keyWith(['desktop:read', 'desktop:chat']);
  const ask = (secret: string, body: unknown) => api.ask('POST', path, { secret, body });
  expect((await ask(reader.secret, { kind: 'vnc' })).status).toBe(403);
  const elsewhere = await keyWith(['desktop:control'], { desktopIds: [otherId] });
  expect((await ask(elsewhere.secret, { kind: 'vnc' })).status).toBe(404);
  expect((await ask(api.secret, { kind: 'sound' })).status).toBe(400);
  expect((await ask(api.secret, { kind: 'port' })).status).toBe(400);
  expect((await ask(api.secret, { kind: 'terminal', terminalName: '$(reboot)' })).status).toBe(400);
  const id = await ready();
  await api.ask('POST', `/v1/desktops/${id}/stop`);
  expect((await api.ask('POST', `/v1/desktops/${id}/streams`, { body: { kind: 'vnc' } })).status).toBe(409);
});

test('who may only watch gets the screen to view and nothing else, and keeps it no longer than that right', async () => {
  const key = await keyWith(['desktop:view']);
  const path = `/v1/desktops/${desktopId}`;
  const ask = (body: object) => api.ask('POST', `${path}/streams`, { secret: key.secret, body });
  for (const body of [{ kind: 'vnc', mode: 'control' }, { kind: 'terminal' }, { kind: 'port', port: 8080 }])
    expect((await ask(body)).status, JSON.stringify(body)).toBe(403);
  for (const [method, below, body] of [
    ['POST', '/control', { kind: 'human' }],
    ['POST', '/click', { x: 1, y: 1 }],
    ['GET', '/clipboard', undefined],
    ['POST', '/exec', { command: 'id' }],
  ] as const)
    expect((await api.ask(method, path + below, { secret: key.secret, body })).status, below).toBe(403);
  const made = await ticketFor({ kind: 'vnc' }, { secret: key.secret });
  const socket = await socketFor(made);
  expect(node.guest.streams.at(-1)!.url.searchParams.get('mode') ?? 'view').toBe('view');
  // The ticket says what it is for: asked for as something else it is spent.
  const second = await ticketFor({ kind: 'vnc', mode: 'view' }, { secret: key.secret });
  expect(await connect(`${second.path}?mode=control&x=`, second.ticket)).toMatchObject({ code: 'ticket_refused' });
  const end = closed(socket);
  const { database } = api.api.services;
  await database.write(({ db }) =>
    db.updateTable('apiKeys').set({ capabilitiesJson: '["desktop:read"]' }).where('id', '=', key.id).execute(),
  );
  expect(await end).toBe(4403);
});

test('a person of the role viewer watches and reads, and neither controls nor changes anything', async () => {
  const made = { method: 'POST', path: '/v1/sign-in-links', body: { role: 'viewer' } };
  const { token } = await api.expect<{ token: string }>('createSignInLink', 201, made);
  const { assertion } = await testGateway(api).byLink(token);
  const ask = (method: string, below: string, body?: object) =>
    api.ask(method, `/v1/desktops/${desktopId}${below}`, { secret: assertion, body });
  for (const [method, below, body] of [
    ['POST', '/streams', { kind: 'vnc', mode: 'control' }],
    ['POST', '/streams', { kind: 'terminal' }],
    ['POST', '/streams', { kind: 'port', port: 8080 }],
    ['POST', '/control', { kind: 'human' }],
    ['PUT', '/files/content?path=~/a', {}],
    ['PATCH', '', { name: 'mine' }],
    ['POST', '/stop', undefined],
  ] as const)
    expect((await ask(method, below, body)).status, JSON.stringify([below, body])).toBe(403);
  expect((await ask('GET', '/screenshot')).status).toBe(200);
  const speaking = { authorization: `Bearer ${assertion}` };
  await socketFor(await ticketFor({ kind: 'vnc', mode: 'view' }, { secret: assertion }), speaking);
  await expect.poll(() => node.guest.streams.length).toBe(1);
});

test('a replay of the ticket request gives no second ticket', async () => {
  const headers = { 'idempotency-key': 'once' };
  const first = await ticketFor({ kind: 'terminal' }, { headers });
  const second = await ticketFor({ kind: 'terminal' }, { headers });
  expect(first.ticket).toMatch(/^lbt_/);
  expect(first.terminalName).toBe('main');
  expect(second.ticket).toBeUndefined();
  const { bodyText } = await api.api.services.database.read
    .selectFrom('idempotency')
    .selectAll()
    .where('idempotencyKey', '=', 'once')
    .executeTakeFirstOrThrow();
  expect(bodyText).not.toContain(first.ticket);
});

test('an older hostd is said to be too old, for streams and for control', async () => {
  const old = { code: 'not_found', detail: 'This node serves no such path.', status: 404 };
  node.guest.answer = () =>
    Response.json(old, { status: 404, headers: { 'content-type': 'application/problem+json' } });
  for (const [method, path, body] of [
    ['POST', 'streams', { kind: 'vnc' }],
    ['POST', 'control', { kind: 'human' }],
    ['GET', 'control', undefined],
    ['GET', 'terminals', undefined],
  ] as const) {
    const answer = await api.ask(method, `/v1/desktops/${desktopId}/${path}`, { body });
    expect([path, answer.status]).toEqual([path, 501]);
    expect(await answer.json()).toMatchObject({ code: 'unsupported' });
  }
});

test('a node that cannot open the stream says why, and the ticket is spent', async () => {
  const { path, ticket } = await ticketFor();
  const problem = { code: 'guest_unreachable', detail: 'The display cannot be reached.', status: 503 };
  node.guest.answer = () => Response.json(problem, { status: 503 });
  expect(await connect(path, ticket)).toEqual({ status: 503, code: 'guest_unreachable' });
  node.guest.answer = undefined;
  expect(await connect(path, ticket)).toMatchObject({ code: 'ticket_refused' });
});

test('what the node ends is ended for the viewer, with its code', async () => {
  const socket = await socketFor(await ticketFor());
  const end = closed(socket);
  node.guest.streams[0]!.close(4408);
  expect(await end).toBe(4408);
});

test('a plain request for the socket is told what it is', async () => {
  const { path, ticket } = await ticketFor();
  const answer = await api.ask('GET', `${path}?ticket=${ticket}`);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'invalid_request' });
});

test('the token of a lease reaches the node, and a replay does not repeat it', async () => {
  const headers = { 'idempotency-key': 'lease' };
  const request = { method: 'POST', path: `/v1/desktops/${desktopId}/control`, body: { kind: 'human' }, headers };
  const first = await api.expect<{ leaseToken?: string }>('takeControl', 200, request);
  const second = await api.expect<{ leaseToken?: string }>('takeControl', 200, request);
  expect([first.leaseToken?.slice(0, 6), second.leaseToken]).toEqual(['lease_', undefined]);
  let seen: string | null = null;
  node.guest.answer = (asked) => void (seen = asked.headers.get('control-lease'));
  await api.ask('POST', `/v1/desktops/${desktopId}/click`, {
    body: { x: 1, y: 1 },
    headers: { 'control-lease': first.leaseToken! },
  });
  expect(seen).toBe(first.leaseToken);
});

test('who holds control stands in the desktop, and each change is an event', async () => {
  const order = node.orders().find((each) => each.desktopId === desktopId)!;
  const holder = { kind: 'human', name: 'Ada', by: null, takenAt: '2026-11-20T10:00:00.000Z' };
  const observation = {
    assignmentId: order.assignmentId,
    generation: order.generation,
    presence: 'present',
    power: 'running',
    boot: 1,
    ready: true,
    agentReady: true,
    startMode: 'warm',
    ipAddress: '10.0.2.15',
    fault: null,
    atMs: 0,
  };
  const tell = (control: object | null, seq: number) =>
    node.call('/node/v1/observations', {
      epoch: node.epoch,
      seq,
      observations: [{ ...observation, control }],
      strangers: [],
    });
  await tell(holder, 1_000_000);
  const path = `/v1/desktops/${desktopId}`;
  expect(await api.expect('getDesktop', 200, { method: 'GET', path })).toMatchObject({ control: holder });
  await tell(null, 1_000_001);
  expect(await api.expect('getDesktop', 200, { method: 'GET', path })).toMatchObject({ control: null });
  const rows = await api.api.services.database.read.selectFrom('events').select(['type', 'dataJson']).execute();
  const told = rows
    .filter(({ type }) => type.startsWith('desktop.control'))
    .map(({ type, dataJson }) => [type, dataJson]);
  expect(told).toEqual([
    ['desktop.control_taken', JSON.stringify(holder)],
    ['desktop.control_released', JSON.stringify(holder)],
  ]);
});
