import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { SimulatedNode } from './simulatedNode.ts';

/** A replica is killed, and with it the only address that a node was given. */

let fleet: Fleet;
let node: SimulatedNode;

beforeAll(async () => {
  fleet = await startFleet();
  node = new SimulatedNode({
    apiAddress: fleet.replicas[0]!.nodeAddress,
    token: await fleet.newToken('node'),
    name: 'node',
    guests: 'tunnel',
    bootMs: 50,
  });
  await node.join();
  await node.start();
});
afterAll(async () => {
  await node.remove();
  await fleet.close();
});

const both = () => fleet.replicas.map((replica) => replica.nodeAddress).toSorted();
const patience = { timeout: 30_000, interval: 100 };

async function create(replica: number): Promise<string> {
  const call = { path: '/v1/desktops', body: { size: 'nano', network: 'none' } };
  // Just after its start the node is not heard yet.
  for (let tries = 0; tries < 100; tries++) {
    const { status, body } = await fleet.ask(replica, 'POST', call);
    if (status === 201) return body.id as string;
    await Bun.sleep(100);
  }
  throw new Error('No desktop could be created.');
}
const isReady = async (replica: number, id: string) =>
  (await fleet.ask(replica, 'GET', { path: `/v1/desktops/${id}` })).body.ready as boolean;
const exec = async (replica: number, id: string) =>
  (await fleet.ask(replica, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'true' } })).status;

/** Kills one replica. @returns after how many milliseconds orders and guest calls went over the other one again */
async function lose(lost: number, id: string): Promise<number> {
  const left = 1 - lost;
  await fleet.replicas[lost]!.process.end('SIGKILL');
  const beganMs = performance.now();
  const made = await create(left);
  await expect.poll(() => isReady(left, made), patience).toBe(true);
  await expect.poll(() => exec(left, id), patience).toBe(200);
  const tookMs = performance.now() - beganMs;
  expect(await exec(left, made)).toBe(200);
  return tookMs;
}

test(
  'a node finds the other replica within seconds, and again, and when it starts meanwhile',
  { timeout: 120_000 },
  async () => {
    const id = await create(0);
    await expect.poll(() => isReady(0, id), patience).toBe(true);
    for (const replica of [0, 1]) await expect.poll(() => exec(replica, id), patience).toBe(200);
    await expect.poll(() => node.knownAddresses.toSorted(), patience).toEqual(both());

    const tookMs = [await lose(0, id)];
    // It starts again while the only address that it was told of is dead.
    await node.stop();
    await node.start();
    await expect.poll(() => exec(1, id), patience).toBe(200);
    await fleet.replicas[0]!.process.start();
    await expect.poll(() => node.knownAddresses.toSorted(), patience).toEqual(both());
    tookMs.push(await lose(1, id));
    console.log('orders and guest calls again after', tookMs.map(Math.round), 'ms');
    // A row of a replica that died ends after half a minute; well before the node counts as silent.
    for (const took of tookMs) expect(took).toBeLessThan(20_000);
  },
);
