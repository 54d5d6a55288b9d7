import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askTls, helloBody, joinOverTls, newRequest, newToken } from '../../api/testing/joiner.ts';
import { type TestApi, startTestApi } from '../../api/testing/testApi.ts';
import { joinApi } from '../../hostd/joinApi.ts';
import { openTlsDoor } from '../../hostd/reach/tlsDoor.ts';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { freePort } from '../freePort.ts';
import { type RemoteNode, startRemoteNode } from './remoteNode.ts';

/** Whoever was taken out hears nothing more, also of what runs; and strangers take little of anybody's room. */

/** Enough for one that goes on, on a machine under load, too. */
const handshakeTimeoutMs = 5_000;

let api: TestApi;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  api = await startTestApi({
    config: { nodeListen: { tls: { hostname: '127.0.0.1', port: 0, handshakeTimeoutMs } } },
  });
});
afterAll(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  await api.stop();
});

let count = 0;
async function remoteBy(way: 'address' | 'tunnel'): Promise<RemoteNode> {
  const listen = way === 'address' ? { hostname: '127.0.0.1', port: await freePort() } : undefined;
  const remote = await startRemoteNode(api, `by-${way}-${++count}`, listen);
  ends.push(() => remote.close());
  return remote;
}
const exec = (remote: RemoteNode) =>
  api.ask('POST', `/v1/desktops/${remote.desktopId}/exec`, { body: { command: 'true' } });
const act = (remote: RemoteNode, action: string, body?: object) =>
  api.expect(`${action}Node`, 200, { method: 'POST', path: `/v1/nodes/${remote.node.nodeId}/${action}`, body });
const change = (remote: RemoteNode, values: object) =>
  api.api.services.database.write(({ db }) =>
    db.updateTable('nodes').set(values).where('id', '=', remote.node.nodeId).execute(),
  );

/** A call that its guest never answers, under way. */
async function hangingCall(remote: RemoteNode) {
  const seen = remote.node.guest.seen.length;
  const leave = Promise.withResolvers<undefined>();
  remote.node.guest.answer = () => leave.promise;
  let hasEnded = false;
  const answer = exec(remote).finally(() => (hasEnded = true));
  await expect.poll(() => remote.node.guest.seen.length).toBe(seen + 1);
  return { answer, hasEnded: () => hasEnded, leave: () => leave.resolve(undefined) };
}

/** Resolves when the other side closes a connection on which nothing is said. */
function closedBy(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.resume();
    socket.once('close', () => resolve());
  });
}

/** As hostd renews its certificate, and uses the new one. */
async function renew({ identity, node, guestAddress }: RemoteNode): Promise<void> {
  const tls = { ca: identity.authority, cert: identity.certificate, key: identity.privateKey };
  const { requestPem, keyPem } = await newRequest();
  const answer = await askTls(api, '/node/v1/certificate', { tls, body: { certificateRequest: requestPem } });
  const { certificate } = (await answer.json()) as { certificate: string };
  const newer = { ...tls, cert: certificate, key: keyPem };
  const body = helloBody(identity.nodeName, { guestAddress, epoch: node.epoch });
  expect((await askTls(api, '/node/v1/hello', { tls: newer, body })).status).toBe(200);
}

const takeOuts: Record<string, (remote: RemoteNode) => Promise<unknown>> = {
  decommissioned: (remote) => act(remote, 'decommission', { force: true }),
  fenced: async (remote) => {
    await remote.node.stop();
    await change(remote, { heardMs: 1 });
    await act(remote, 'fence');
  },
  'joined anew': async (remote) => joinOverTls(api, remote.identity.nodeName, await tokenFor(remote)),
  'joined anew after a renewal': async (remote) => {
    await renew(remote);
    await joinOverTls(api, remote.identity.nodeName, await tokenFor(remote));
  },
};
const tokenFor = (remote: RemoteNode) => newToken(api, { nodeId: remote.node.nodeId });

// Together, because each waits for a second or two.
describe.concurrent.each(['address', 'tunnel'] as const)('a node that is reached by its %s', (way) => {
  test.each(Object.keys(takeOuts))('a call that runs is cut when the node is %s', async (how) => {
    const remote = await remoteBy(way);
    const call = await hangingCall(remote);
    // Stopping the double would answer the call by itself.
    if (how === 'fenced') remote.node.guest.stop = () => Promise.resolve();
    await takeOuts[how]!(remote);
    const beganMs = performance.now();
    const { status } = await call.answer;
    // One to two seconds, and more on a machine under load; a call may take ten minutes.
    expect(performance.now() - beganMs).toBeLessThan(6_000);
    expect(status).toBe(504);
    const seen = remote.node.guest.seen.length;
    const next = await exec(remote);
    // Of the other two the desktop is known to be away, so nobody is called.
    if (how.startsWith('joined')) expect(await next.json()).toMatchObject({ status: 503, code: 'node_unreachable' });
    else expect(next.status).toBe(409);
    expect(remote.node.guest.seen.length).toBe(seen);
    call.leave();
  });

  test('a call that runs goes on when the node renews its certificate, and after an uncordon', async () => {
    const remote = await remoteBy(way);
    const call = await hangingCall(remote);
    await renew(remote);
    await act(remote, 'uncordon');
    const seen = remote.node.guest.seen.length;
    expect((await exec(remote)).status, 'no connection is made with the certificate that was replaced').toBe(503);
    expect(remote.node.guest.seen.length).toBe(seen);
    await Bun.sleep(1_500);
    expect(call.hasEnded()).toBe(false);
    remote.node.guest.answer = undefined;
    call.leave();
    expect((await call.answer).status).toBe(200);
  });
});

describe.concurrent('beside that', () => {
  test('a call that runs goes on beside a fence of long ago', async () => {
    const remote = await remoteBy('address');
    await change(remote, { fencedMs: 1 });
    const call = await hangingCall(remote);
    await Bun.sleep(1_500);
    expect(call.hasEnded()).toBe(false);
    call.leave();
    await call.answer;
  });

  test('orders are for nobody who was taken out while they were waited for', async () => {
    const node = await joinOverTls(api, 'waiting');
    const welcome = await askTls(api, '/node/v1/hello', { tls: node.tls, body: helloBody('waiting') });
    const { epoch } = (await welcome.json()) as { epoch: number };
    const path = `/node/v1/assignments?epoch=${epoch}`;
    const { revision } = (await (await askTls(api, path, { tls: node.tls })).json()) as { revision: string };
    const waiting = askTls(api, `${path}&after=${revision}&waitSeconds=2`, { tls: node.tls });
    await Bun.sleep(300);
    await joinOverTls(api, 'waiting', await newToken(api, { nodeId: node.nodeId }));
    expect((await waiting).status).toBe(403);
  });

  test('a connection that does not finish its handshake is closed, at the API and at a node', async () => {
    await closedBy(api.api.nodeTlsPort!);
    const apiAddress = `https://127.0.0.1:${api.api.nodeTlsPort}`;
    const identity = await joinApi({ apiAddress, token: await newToken(api), nodeName: 'door' }, systemClock);
    const door = await openTlsDoor({
      listen: { hostname: '127.0.0.1', port: 0 },
      identity,
      guestSocket: '/nowhere',
      log: silentLog,
      handshakeTimeoutMs: 500,
    });
    await closedBy(door.port);
    await door.close();
  });

  test('whoever has no certificate says little', async () => {
    const join = (bytes: number) => {
      const body = { token: 'lbj_made-up', nodeName: 'x', certificateRequest: 'a'.repeat(bytes) };
      return askTls(api, '/node/v1/join', { body });
    };
    expect((await join(40_000)).status).toBe(413);
    expect((await join(1_000)).status).not.toBe(413);
    const { tls } = await joinOverTls(api, 'talks');
    const body = helloBody('talks', { acceleratorReason: 'a'.repeat(40_000) });
    expect((await askTls(api, '/node/v1/hello', { tls, body })).status).not.toBe(413);
  });
});
