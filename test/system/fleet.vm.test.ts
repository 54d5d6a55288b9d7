import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, type FleetAnswer, startFleet } from '../fleet/fleet.ts';
import { SimulatedNode } from '../fleet/simulatedNode.ts';
import { freePort } from '../freePort.ts';

/** Two replicas of the API on Postgres and nodes with hostd's real code on a hypervisor in memory, joined over TLS. */

const nodesCount = 8;
const desktopsCount = 200;
/** Just enough for all: what was chosen by several at once must be refused to all but one. */
const perNode = 26;
const root = join(import.meta.dirname, '..', '..');

let fleet: Fleet;
const nodes: SimulatedNode[] = [];

beforeAll(async () => {
  fleet = await startFleet({
    LEBUREAU_VCPU_OVERCOMMIT_PERCENT: '100',
    LEBUREAU_MEMORY_OVERCOMMIT_PERCENT: '100',
    LEBUREAU_DISK_OVERCOMMIT_PERCENT: '100',
  });
  for (let at = 0; at < nodesCount; at++) {
    const name = `node-${at}`;
    const guests = at === 0 ? 'tunnel' : at < 3 ? { hostname: '127.0.0.1', port: await freePort() } : undefined;
    const node = new SimulatedNode({
      apiAddress: fleet.replicas[at % 2]!.nodeAddress,
      token: await fleet.newToken(name),
      name,
      guests,
      bootMs: 50,
      facts: { vcpus: perNode, memoryMiB: perNode * 1024, diskFreeMiB: perNode * 8192 + 2048 },
    });
    await node.join();
    await node.start();
    nodes.push(node);
  }
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.remove()));
  await fleet?.close();
});

/** Sent again, to the other replica, until it is answered; the key makes it happen once. */
async function createSurely(at: number): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const call = { path: '/v1/desktops', body: { size: 'nano', network: 'none' }, key: `create-${at}` };
    const answer = await fleet
      .ask((at + attempt) % 2, 'POST', call)
      .catch((): FleetAnswer => ({ status: 0, body: undefined }));
    if (answer.status === 201) return (answer.body as { id: string }).id;
    if (![0, 409, 500, 503].includes(answer.status))
      throw new Error(`create answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    await Bun.sleep(50 + Math.random() * 100);
  }
  throw new Error('A create was never answered.');
}

async function listAll(): Promise<{ id: string; status: string; ready: boolean; nodeId: string }[]> {
  const all = [];
  for (let cursor = ''; ;) {
    const { body } = await fleet.ask(0, 'GET', { path: `/v1/desktops?limit=100${cursor}` });
    all.push(...body.data);
    if (body.nextCursor === null) return all;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor as string)}`;
  }
}

test('hostd joins by its command, keeps its key to itself, and serves', { timeout: 60_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'lb-joined-'));
  const environment = { ...process.env, LEBUREAU_HOME: home, LEBUREAU_NODE_NAME: 'by-hand', LEBUREAU_DRIVER: 'fake' };
  const address = fleet.replicas[0]!.nodeAddress;
  const hostd = join(root, 'hostd', 'main.ts');
  const join_ = (token: string) =>
    spawnSync(process.execPath, [hostd, 'join', address, token], { env: environment, encoding: 'utf8' });
  const token = await fleet.newToken('by-hand');
  const strange = token.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
  expect(join_(strange).stderr).toContain('is not the API that made this token');
  const joined = join_(token);
  expect(joined.stdout, joined.stderr).toContain('by-hand is node nod_');
  expect(statSync(join(home, 'node-identity.json')).mode & 0o777).toBe(0o600);
  expect(join_(token).stderr).toContain('used or expired');
  const child = spawn(process.execPath, [hostd], { env: environment, stdio: 'ignore' });
  try {
    const isUp = async () => {
      const { body } = await fleet.ask(1, 'GET', { path: '/v1/nodes?limit=100' });
      return (body.data as { name: string; status: string }[]).find((node) => node.name === 'by-hand')?.status;
    };
    await expect.poll(isUp, { timeout: 20_000, interval: 200 }).toBe('up');
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
  const { body } = await fleet.ask(0, 'GET', { path: '/v1/nodes?limit=100' });
  const { id } = (body.data as { name: string; id: string }[]).find((node) => node.name === 'by-hand')!;
  expect((await fleet.ask(0, 'POST', { path: `/v1/nodes/${id}/decommission` })).status).toBe(200);
});

test(
  'two hundred desktops at once on eight nodes, while a replica and a hostd are killed',
  { timeout: 180_000 },
  async () => {
    const ids = Promise.all(Array.from({ length: desktopsCount }, (_, at) => createSurely(at)));
    await Bun.sleep(250);
    await fleet.replicas[1]!.process.end('SIGKILL');
    const victim = nodes[3]!;
    await victim.stop();
    await Bun.sleep(1000);
    await fleet.replicas[1]!.process.start();
    await victim.start();

    expect(new Set(await ids).size).toBe(desktopsCount);
    const ready = async () => (await listAll()).filter((desktop) => desktop.ready).length;
    await expect.poll(ready, { timeout: 90_000, interval: 500 }).toBe(desktopsCount);
    const desktops = await listAll();
    expect(desktops.length).toBe(desktopsCount);

    const vmRefs = nodes.flatMap((node) => [...node.world.vms.keys()]);
    expect(vmRefs.length).toBe(desktopsCount);
    expect(new Set(vmRefs).size).toBe(desktopsCount);
    const disks = nodes.flatMap((node) => node.world.disksMade);
    expect(disks.length, 'nothing was cloned twice').toBe(desktopsCount);
    const { body } = await fleet.ask(0, 'GET', { path: '/v1/nodes?limit=100' });
    for (const { name, reserved } of body.data as { name: string; reserved: Record<string, number> }[]) {
      const node = nodes.find((each) => each.name === name)!;
      const count = node.world.vms.size;
      expect(count, name).toBeLessThanOrEqual(perNode);
      expect(reserved, name).toEqual({ vcpus: count, memoryMiB: count * 1024, diskGiB: count * 8 });
    }
  },
);

test('guests of nodes with and without an address are reached over both replicas', { timeout: 60_000 }, async () => {
  const desktops = await listAll();
  for (const node of nodes.slice(0, 3)) {
    const { id } = desktops.find((desktop) => desktop.nodeId === node.nodeId)!;
    for (const replica of [0, 1]) {
      const run = async () => {
        const call = { path: `/v1/desktops/${id}/exec`, body: { command: 'true' } };
        return (await fleet.ask(replica, 'POST', call)).status;
      };
      await expect.poll(run, { timeout: 20_000, interval: 300 }).toBe(200);
    }
  }
});
