import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newToken } from '../../api/testing/joiner.ts';
import { type TestPostgres, startTestPostgres } from '../../api/testing/postgres.ts';
import { type TestApi, startTestApi } from '../../api/testing/testApi.ts';
import { joinApi } from '../../hostd/joinApi.ts';
import { tlsTowardsApi } from '../../hostd/nodeIdentity.ts';
import { freePort } from '../freePort.ts';
import { type RemoteNode, startRemoteNode } from './remoteNode.ts';

/** The API's half and hostd's half of the way to a guest, joined over real sockets; behind it a guest contract without guests. */

const bytesBig = 500_000_000;
const memoryMiBMax = 350;

let postgres: TestPostgres;
const apis: TestApi[] = [];
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  const databaseUrl = await postgres.newDatabase();
  const nodeCaKey = Buffer.alloc(32, 7).toString('base64');
  for (let count = 0; count < 2; count++) {
    const tls = { hostname: '127.0.0.1', port: await freePort() };
    apis.push(await startTestApi({ config: { databaseUrl, nodeCaKey, nodeListen: { tls } } }));
  }
});
afterAll(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  for (const api of apis) await api.stop();
  await postgres.stop();
});

/** A node whose desktop the first replica knows; it goes when the tests are over. */
async function startRemote(name: string, guestListen?: { hostname: string; port: number }): Promise<RemoteNode> {
  const remote = await startRemoteNode(apis[0]!, name, guestListen);
  ends.push(() => remote.close());
  return remote;
}

const exec = (api: TestApi, remote: RemoteNode) =>
  api.ask('POST', `/v1/desktops/${remote.desktopId}/exec`, { body: { command: 'true' } });

/** Moves that many bytes both ways and tells how much memory the process needed beyond what it had. */
async function moveBig(api: TestApi, remote: RemoteNode): Promise<number> {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  const url = `${api.api.url}/v1/desktops/${remote.desktopId}/files/content`;
  const headers = { authorization: `Bearer ${api.secret}` };
  const down = await fetch(`${url}?path=${bytesBig}`, { headers });
  let got = 0;
  for await (const chunk of down.body!) got += chunk.length;
  expect(got).toBe(bytesBig);
  let left = bytesBig;
  const chunk = new Uint8Array(262_144);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (part.length > 0) controller.enqueue(part);
      if (left === 0) controller.close();
    },
  });
  const up = await fetch(`${url}?path=big`, { method: 'PUT', headers, body });
  expect(up.status).toBe(200);
  expect(remote.node.guest.uploadedBytes).toBe(bytesBig);
  clearInterval(timer);
  return (most - before) / 1_048_576;
}

/** Opens a stream by this replica and moves that many bytes to the node and back. */
async function throughStream(api: TestApi, remote: { desktopId: string }, bytes: number): Promise<number> {
  const path = `/v1/desktops/${remote.desktopId}/streams`;
  const made = await api.expect<{ path: string; ticket: string }>('createStream', 201, {
    method: 'POST',
    path,
    body: { kind: 'port', port: 80 },
  });
  const socket = new WebSocket(`${api.api.url.replace('http', 'ws')}${made.path}?ticket=${made.ticket}`);
  socket.binaryType = 'arraybuffer';
  let got = 0;
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('error', () => reject(new Error('the stream was refused')));
    socket.addEventListener('open', () => {
      for (let at = 0; at < bytes; at += 65_536) socket.send(new Uint8Array(65_536));
    });
    socket.addEventListener('message', ({ data }) => {
      got += (data as ArrayBuffer).byteLength;
      if (got >= bytes) resolve();
    });
  });
  socket.close();
  return got;
}

describe('a node with an address', () => {
  let remote: RemoteNode;
  beforeAll(async () => {
    remote = await startRemote('direct', { hostname: '127.0.0.1', port: await freePort() });
  });

  test('is called there, by every replica', async () => {
    expect(remote.guestAddress).toMatch(/^https:/);
    for (const api of apis) expect((await exec(api, remote)).status).toBe(200);
  });

  test('lets in only the API: neither a stranger nor another node', async () => {
    const url = `${remote.guestAddress}/guest/asg_01k9x3v6m8e9t2q4r6s8v0w2y4/windows`;
    const other = await joinApi(
      { apiAddress: `https://127.0.0.1:${apis[0]!.api.nodeTlsPort}`, token: await newToken(apis[0]!), nodeName: 'spy' },
      systemClock,
    );
    const seen = remote.node.guest.seen.length;
    for (const tls of [{ rejectUnauthorized: false }, { ...tlsTowardsApi(other), rejectUnauthorized: false }])
      await expect(fetch(url, { tls } as RequestInit)).rejects.toThrow(/closed|handshake|reset/i);
    expect(remote.node.guest.seen.length).toBe(seen);
  });

  test('moves 500 MB both ways in bounded memory', { timeout: 120_000 }, async () => {
    expect(await moveBig(apis[0]!, remote)).toBeLessThan(memoryMiBMax);
  });

  test('gives streams to every replica', async () => {
    for (const api of apis) expect(await throughStream(api, remote, 8_388_608)).toBe(8_388_608);
  });

  test('is not called where another node answers', async () => {
    const impostor = await startRemote('impostor', { hostname: '127.0.0.1', port: await freePort() });
    const change = (guestAddress: string) =>
      apis[0]!.api.services.database.write(({ db }) =>
        db.updateTable('nodes').set({ guestAddress }).where('id', '=', remote.node.nodeId).execute(),
      );
    await apis[1]!.api.stop(100).catch(() => {});
    await change(impostor.guestAddress);
    const fresh = await startTestApi({
      config: { ...apis[1]!.config, home: mkdtempSync(join(tmpdir(), 'lb-api-')) },
    });
    apis[1] = fresh;
    const answer = await exec(fresh, remote);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([503, 'node_unreachable']);
    await change(remote.guestAddress);
  });
});

describe('a node without an address', () => {
  let remote: RemoteNode;
  beforeAll(async () => {
    remote = await startRemote('behind-nat');
  });

  test('is reached over its tunnel, and by the other replica over the one that holds it', async () => {
    expect(remote.guestAddress).toBe('tunnel:');
    for (const api of apis) expect((await exec(api, remote)).status).toBe(200);
    const rows = await apis[0]!.api.services.database.read.selectFrom('tunnels').selectAll().execute();
    expect(rows.map((row) => row.nodeId)).toEqual([remote.node.nodeId]);
  });

  test('answers fifty calls at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => exec(apis[at % 2]!, remote)));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 50 }, () => 200));
  });

  test('moves 500 MB both ways in bounded memory, over the other replica too', { timeout: 120_000 }, async () => {
    for (const api of apis) expect(await moveBig(api, remote)).toBeLessThan(memoryMiBMax);
  });

  test('gives streams over its tunnel, and by the other replica too; each ends at both sides', async () => {
    for (const api of apis) expect(await throughStream(api, remote, 8_388_608)).toBe(8_388_608);
    await expect.poll(() => remote.node.guest.streams.length).toBe(0);
  });

  test('calls again when its tunnel broke', async () => {
    const [api] = apis;
    const { port } = api!.config.nodeListen.tls!;
    await api!.api.stop(100);
    // On a busy machine the node has called the other replica before this arrives.
    expect([503, 200]).toContain((await exec(apis[1]!, remote)).status);
    apis[0] = await startTestApi({
      config: { ...api!.config, nodeListen: { tls: { hostname: '127.0.0.1', port } } },
    });
    await expect.poll(async () => (await exec(apis[1]!, remote)).status, { timeout: 20_000, interval: 200 }).toBe(200);
  });

  test('a call over the other replica is cut when the node is taken out', async () => {
    const { guest, nodeId } = remote.node;
    const seen = guest.seen.length;
    guest.answer = () => new Promise(() => {});
    const answers = Promise.all(apis.map((api) => exec(api, remote)));
    await expect.poll(() => guest.seen.length).toBe(seen + 2);
    const path = `/v1/nodes/${nodeId}/decommission`;
    await apis[1]!.expect('decommissionNode', 200, { method: 'POST', path, body: { force: true } });
    const beganMs = performance.now();
    expect((await answers).map(({ status }) => status)).toEqual([504, 504]);
    expect(performance.now() - beganMs).toBeLessThan(6_000);
  });
});
