import { type TLSSocket, connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JoinedNode, askTls, helloBody, joinOverTls, newRequest } from '../testing/joiner.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';

/** What a node that went wrong, or whoever has its certificate, can do to the others. */

let api: TestApi;
let bad: JoinedNode;
let good: JoinedNode;
const open: TLSSocket[] = [];
beforeAll(async () => {
  api = await startTestApi({ config: { nodeListen: { tls: { hostname: '127.0.0.1', port: 0 } } } });
  [bad, good] = [await joinOverTls(api, 'bad'), await joinOverTls(api, 'good')];
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await api.stop();
});

const hello = (node: JoinedNode, change: object = {}) =>
  askTls(api, '/node/v1/hello', { tls: node.tls, body: helloBody(node.name, change) });
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code];

interface Raw {
  socket: TLSSocket;
  closed: boolean;
  text: string;
}

/** A connection with the certificate of the node, on which anything may be said. */
function dial(node: JoinedNode): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { ca, cert, key } = node.tls;
    const to = { host: '127.0.0.1', port: api.api.nodeTlsPort, servername: 'api.lebureau.internal' };
    const socket = connect({ ...to, ca, cert, key, ALPNProtocols: ['http/1.1'] }, () => resolve(raw));
    const raw: Raw = { socket, closed: false, text: '' };
    open.push(socket);
    socket.on('data', (bytes: Buffer) => (raw.text += bytes.toString('latin1')));
    socket.on('close', () => (raw.closed = true));
    socket.on('error', reject);
  });
}

test('many connections of one node keep nobody else out', async () => {
  const raws = await Promise.all(Array.from({ length: 140 }, () => dial(bad)));
  await expect.poll(() => raws.filter((raw) => raw.closed).length).toBeGreaterThanOrEqual(12);
  expect(raws.filter((raw) => !raw.closed).length).toBeLessThanOrEqual(128);
  expect((await hello(good)).status).toBe(200);
  for (const { socket } of raws) socket.destroy();
  await expect.poll(async () => (await hello(bad).catch(() => undefined))?.status).toBe(200);
});

test('bodies that never end fill no more than one node may', async () => {
  const part = Buffer.alloc(3_900_000, ' ');
  const head =
    'POST /node/v1/observations HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n';
  const raws = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const raw = await dial(bad);
      raw.socket.write(head);
      raw.socket.write(part);
      return raw;
    }),
  );
  await expect.poll(() => raws.filter((raw) => raw.text.includes(' 413 ')).length).toBeGreaterThanOrEqual(6);
  expect((await hello(good)).status).toBe(200);
  for (const { socket } of raws) socket.destroy();
  await expect.poll(async () => (await hello(bad)).status).toBe(200);
});

test('requests at once are limited for each node', async () => {
  const { epoch } = (await (await hello(bad)).json()) as { epoch: number };
  const leaving = new AbortController();
  const path = `/node/v1/assignments?epoch=${epoch}&after=1&waitSeconds=20`;
  const url = `https://127.0.0.1:${api.api.nodeTlsPort}${path}`;
  const tls = { ...bad.tls, checkServerIdentity: () => undefined };
  const polls = Array.from({ length: 80 }, () =>
    fetch(url, { tls, signal: leaving.signal } as RequestInit).then(
      (answer) => answer.status,
      () => 0,
    ),
  );
  const refused = (await Promise.race([Promise.any(polls), Bun.sleep(5000)])) as number;
  expect(refused).toBe(429);
  expect((await hello(good)).status).toBe(200);
  leaving.abort();
  await Promise.all(polls);
});

test('however often a node renews, it has the certificate that it shows and one to come', async () => {
  const node = await joinOverTls(api, 'greedy');
  const got: JoinedNode[] = [];
  for (let count = 0; count < 5; count++) {
    const { requestPem, keyPem } = await newRequest();
    const answer = await askTls(api, '/node/v1/certificate', {
      tls: node.tls,
      body: { certificateRequest: requestPem },
    });
    const { certificate } = (await answer.json()) as { certificate: string };
    got.push({ ...node, tls: { ...node.tls, cert: certificate, key: keyPem } });
  }
  const rows = await api.api.services.database.read
    .selectFrom('nodeCertificates')
    .selectAll()
    .where('nodeId', '=', node.nodeId)
    .execute();
  expect(rows.length).toBe(2);
  expect(await codeOf(await hello(got[0]!))).toEqual([403, 'node_refused']);
  expect((await hello(node)).status).toBe(200);
  expect((await hello(got.at(-1)!)).status).toBe(200);
});

test('nonsense is refused before it reaches a row', async () => {
  for (const change of [{ memoryMiB: 1e18 }, { diskFreeMiB: 2 ** 60 }, { vcpus: 2 ** 40 }])
    expect(await codeOf(await hello(bad, change))).toEqual([400, 'invalid_request']);
  const size = { id: `tpl_${'0'.repeat(26)}`, name: 'x', warmSizes: ['x'.repeat(200)], diskMiB: 1, builtAtMs: 1 };
  expect(await codeOf(await hello(bad, { templates: [size] }))).toEqual([400, 'invalid_request']);
});

test('a template of tomorrow is not the newest', async () => {
  const template = (id: string, builtAtMs: number) => ({
    id: `tpl_${id.repeat(26)}`,
    name: 'x',
    warmSizes: [],
    diskMiB: 1,
    builtAtMs,
  });
  await hello(bad, { templates: [template('1', Date.now() + 86_400_000)] });
  await hello(good, { templates: [template('0', Date.now() - 86_400_000)] });
  const { nodeId } = await api.expect<{ nodeId: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { network: 'none' },
  });
  expect(nodeId).toBe(good.nodeId);
});

test('what a node says of desktops of another one changes nothing', async () => {
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { network: 'none' },
  });
  const { read } = api.api.services.database;
  const order = (await read.selectFrom('assignments').selectAll().where('desktopId', '=', id).executeTakeFirst())!;
  const thief = order.nodeId === good.nodeId ? bad : good;
  const { epoch } = (await (await hello(thief)).json()) as { epoch: number };
  const seen = {
    assignmentId: order.id,
    generation: 1,
    presence: 'absent',
    power: 'off',
    boot: 0,
    ready: false,
    agentReady: false,
    startMode: null,
    ipAddress: null,
    fault: { code: 'vm_missing', message: 'gone', class: 'fail' },
    atMs: 0,
  };
  const body = { epoch, seq: 1, observations: [seen], strangers: [] };
  const answer = await askTls(api, '/node/v1/observations', { tls: thief.tls, body });
  expect(await answer.json()).toEqual({ refused: [{ assignmentId: order.id, reason: 'other_node' }] });
  expect(await api.expect('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}` })).toMatchObject({
    error: null,
  });
});
