import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDriverWorld, type DriverWorld } from '../pve/driverWorld.ts';
import { type Fleet, type FleetAnswer, startFleet } from './fleet.ts';
import { PveGuests } from './pveGuests.ts';
import { SimulatedNode } from './simulatedNode.ts';

/** Two replicas of the API, and hostd's real code and driver on two nodes of one Proxmox VE cluster (its double). */

const desktopsCount = 8;
let fleet: Fleet;
let world: DriverWorld;
let guests: PveGuests;
const nodes: SimulatedNode[] = [];

beforeAll(async () => {
  fleet = await startFleet();
  world = await openDriverWorld({ version: '9.2', nodes: ['pve1', 'pve2'], bootMs: 100 });
  world.double.state.storages.local!.shared = true;
  guests = new PveGuests(world);
  for (const [at, name] of ['pve1', 'pve2'].entries()) {
    const node = new SimulatedNode({
      apiAddress: fleet.replicas[at]!.nodeAddress,
      token: await fleet.newToken(name),
      name,
      guests: 'tunnel',
      hypervisor: { driver: world.again({ node: name }), guests: guests.door(name) },
    });
    node.guest!.answer = guests.answer(name);
    await node.join();
    nodes.push(node);
  }
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.remove()));
  await world?.close();
  await fleet?.close();
});

interface Desktop {
  id: string;
  status: string;
  ready: boolean;
  nodeId: string;
}

async function list(): Promise<Desktop[]> {
  return (await fleet.ask(0, 'GET', { path: '/v1/desktops?limit=100' })).body.data as Desktop[];
}
const readyOn = async (node: SimulatedNode) =>
  (await list()).filter((desktop) => desktop.ready && desktop.nodeId === node.nodeId).length;
const stateOf = async (node: SimulatedNode) => (await fleet.ask(0, 'GET', { path: `/v1/nodes/${node.nodeId}` })).body;

/** Writes to one desktop, one after the other, until it is told to stop. @returns what was acknowledged, and what was not */
async function keepWriting(id: string, over: AbortSignal): Promise<{ done: string[]; refused: FleetAnswer[] }> {
  const done: string[] = [];
  const refused: FleetAnswer[] = [];
  for (let count = 0; !over.aborted; count++) {
    const command = `write ${id} ${count}`;
    const answer = await fleet.ask(0, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
    if (answer.status === 200) done.push(command);
    else refused.push(answer);
    await Bun.sleep(20);
  }
  return { done, refused };
}

test(
  'a node is drained by moving its desktops while writes go on and a hostd is killed',
  { timeout: 180_000 },
  async () => {
    const [one, two] = [nodes[0]!, nodes[1]!];
    await one.start();
    await expect.poll(async () => (await stateOf(one)).status, { interval: 100 }).toBe('up');
    const wish = { path: '/v1/desktops', body: { size: 'nano' } };
    const made = await Promise.all(Array.from({ length: desktopsCount }, () => fleet.ask(0, 'POST', wish)));
    const ids = made.map(({ body }) => body.id as string).toSorted();
    await expect.poll(() => readyOn(one), { timeout: 60_000, interval: 200 }).toBe(desktopsCount);
    const vmids = world.vms().map((vm) => vm.vmid);
    await two.start();
    await expect.poll(async () => (await stateOf(two)).status, { interval: 100 }).toBe('up');

    const over = new AbortController();
    const writing = ids.map((id) => keepWriting(id, over.signal));
    const body = { mode: 'move', graceSeconds: 3600 };
    const drained = await fleet.ask(1, 'POST', { path: `/v1/nodes/${one.nodeId}/drain`, body });
    expect(drained.body.drain).toMatchObject({ mode: 'move', move: 'supported' });
    await expect.poll(() => readyOn(two), { timeout: 60_000, interval: 50 }).toBeGreaterThan(0);
    await one.stop();
    await Bun.sleep(1000);
    await one.start();
    await expect.poll(() => readyOn(two), { timeout: 120_000, interval: 200 }).toBe(desktopsCount);
    await Bun.sleep(300);
    over.abort();

    expect((await list()).map(({ id }) => id).toSorted()).toEqual(ids);
    expect(world.vms().map((vm) => vm.vmid)).toEqual(vmids);
    for (const vm of world.vms()) expect(vm).toMatchObject({ node: 'pve2', run: {} });
    const moves = Object.values(world.double.state.tasks).filter((task) => task.type === 'qmigrate');
    expect(moves.filter((task) => task.exitstatus === 'OK')).toHaveLength(desktopsCount);
    for (const { done, refused } of await Promise.all(writing)) {
      const disk = [...guests.disks.values()].find((lines) => lines.includes(done[0]!));
      expect(done.filter((line) => !disk!.includes(line))).toEqual([]);
      expect(done.length).toBeGreaterThan(10);
      // 504: hostd was killed in the middle of that call.
      for (const { status, body: problem } of refused) {
        expect([503, 504]).toContain(status);
        expect(problem.retryable).toBe(true);
      }
    }
    await expect.poll(async () => (await stateOf(one)).drain.drainedAt, { timeout: 20_000 }).not.toBeNull();
    expect((await stateOf(one)).reserved).toEqual({ vcpus: 0, memoryMiB: 0, diskGiB: 0 });
    expect((await stateOf(two)).reserved).toEqual({
      vcpus: desktopsCount,
      memoryMiB: desktopsCount * 1024,
      diskGiB: desktopsCount * 8,
    });
    expect((await fleet.ask(0, 'POST', { path: `/v1/nodes/${one.nodeId}/decommission` })).status).toBe(200);
  },
);
