import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { SimulatedNode } from './simulatedNode.ts';
import { freePort } from '../freePort.ts';

/** The authorities are replaced under nodes with hostd's real code, two replicas and calls that go on meanwhile. */

let fleet: Fleet;
const nodes: SimulatedNode[] = [];

beforeAll(async () => {
  fleet = await startFleet();
  for (const name of ['tunnel', 'door', 'away']) {
    const node = new SimulatedNode({
      apiAddress: fleet.replicas[nodes.length % 2]!.nodeAddress,
      token: await fleet.newToken(name),
      name,
      guests: name === 'door' ? { hostname: '127.0.0.1', port: await freePort() } : 'tunnel',
      bootMs: 50,
    });
    await node.join();
    await node.start();
    nodes.push(node);
  }
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.remove()));
  await fleet.close();
});

const patience = { timeout: 60_000, interval: 250 };
const look = async (replica: number) => (await fleet.ask(replica, 'GET', { path: '/v1/nodes/authority' })).body;
const stepOf = async (replica = 0) => (await look(replica)).rotation?.step ?? 'over';
const exec = async (replica: number, id: string) =>
  (await fleet.ask(replica, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'true' } })).status;

/** One ready desktop on each node. */
async function fill(): Promise<string[]> {
  const ids: string[] = [];
  for (const node of nodes) {
    await fleet.ask(0, 'PATCH', { path: `/v1/nodes/${node.nodeId}`, body: { labels: { name: node.name } } });
    const body = { size: 'nano', network: 'none', nodeSelector: { name: node.name } };
    const made = await expect
      .poll(async () => (await fleet.ask(0, 'POST', { path: '/v1/desktops', body })).body.id as string, patience)
      .toMatch(/^dsk_/)
      .then(async () => (await fleet.ask(0, 'GET', { path: '/v1/desktops?limit=1' })).body.data[0].id as string);
    ids.push(made);
  }
  for (const id of ids) for (const replica of [0, 1]) await expect.poll(() => exec(replica, id), patience).toBe(200);
  return ids;
}

test(
  'nodes renew onto the new authority while a replica dies, and a node that was away comes back in time',
  { timeout: 240_000 },
  async () => {
    const ids = await fill();
    await nodes[2]!.stop();
    const before = await look(0);
    const begun = await fleet.ask(1, 'POST', { path: '/v1/nodes/authority/rotate', body: { deadlineSeconds: 3600 } });
    expect(begun.status).toBe(200);
    await expect.poll(() => stepOf(0), patience).toBe('renewing');
    await fleet.replicas[1]!.process.end('SIGKILL');
    await expect.poll(async () => (await look(0)).rotation.waitsFor.nodeIds, patience).toEqual([nodes[2]!.nodeId]);
    await fleet.replicas[1]!.process.start();
    await nodes[2]!.start();
    for (const replica of [0, 1]) await expect.poll(() => stepOf(replica), patience).toBe('over');
    const after = await look(1);
    expect(after.generation).toBe(before.generation + 1);
    expect(after.fingerprint).not.toBe(before.fingerprint);
    for (const id of ids) for (const replica of [0, 1]) await expect.poll(() => exec(replica, id), patience).toBe(200);
    // What is kept on disk is enough to be known again.
    for (const node of nodes) {
      await node.stop();
      await node.start();
    }
    for (const id of ids) for (const replica of [0, 1]) await expect.poll(() => exec(replica, id), patience).toBe(200);
    const disks = nodes.flatMap((node) => node.world.disksMade);
    expect(disks.length, 'nothing was cloned twice').toBe(ids.length);
  },
);
