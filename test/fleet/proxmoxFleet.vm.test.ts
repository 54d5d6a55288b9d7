import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTemplateMarker } from '../../hostd/hypervisor/proxmox/marker.ts';
import { findReference } from '../pve/api/reference.ts';
import { openDriverWorld, templateId, type DriverWorld } from '../pve/driverWorld.ts';
import { type Fleet, type FleetAnswer, startFleet } from './fleet.ts';
import { ProxmoxNode } from './proxmoxNode.ts';

/** Two replicas on Postgres and eight hostds with the real driver, each of one node of one Proxmox VE cluster. */

const nodeNames = Array.from({ length: 8 }, (_, at) => `pve${at + 1}`);
const desktopsCount = 200;
/** Memory is just enough for all: what several chose at once must be refused to all but one. Of the rest there is plenty. */
const perNode = 26;
/** So few ids that many desktops want the same one first. */
const vmids = { first: 100_000, last: 100_399 };
const GiB = 2 ** 30;

describe.skipIf(findReference() === undefined)('a fleet on one Proxmox VE cluster (needs shared/reference)', () => {
  let fleet: Fleet;
  let world: DriverWorld;
  const nodes: ProxmoxNode[] = [];

  beforeAll(async () => {
    fleet = await startFleet({
      LEBUREAU_VCPU_OVERCOMMIT_PERCENT: '100',
      LEBUREAU_MEMORY_OVERCOMMIT_PERCENT: '100',
      LEBUREAU_DISK_OVERCOMMIT_PERCENT: '100',
    });
    world = await openDriverWorld({ version: '9.2', nodes: nodeNames });
    const { state, templateId: firstTemplate } = world.double;
    state.storages.local!.totalBytes = 2 * perNode * 8 * GiB;
    for (const [at, name] of nodeNames.entries()) {
      Object.assign(state.nodes[name]!, { cpus: 2 * perNode, memoryBytes: perNode * GiB });
      const marker = writeTemplateMarker({ templateId, name: 'desktop', diskMiB: 1024, builtAtMs: 1 });
      state.vms[firstTemplate + at]!.config.description = marker;
      const node = new ProxmoxNode({
        apiAddress: fleet.replicas[at % 2]!.nodeAddress,
        token: await fleet.newToken(name),
        settings: { ...world.settings, node: name, vmids },
      });
      await node.join();
      node.start();
      nodes.push(node);
    }
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.remove()));
    await world?.close();
    await fleet?.close();
  });

  interface NodeListed {
    name: string;
    status: string;
    reserved: object;
  }
  const listNodes = async () => {
    const { body } = await fleet.ask(0, 'GET', { path: '/v1/nodes?limit=100' });
    return body.data as NodeListed[];
  };

  /** Sent again, to the other replica, until it is answered; the key makes it happen once. */
  async function surely(at: number, method: string, call: { path: string; body?: object; key?: string }) {
    for (let attempt = 0; attempt < 300; attempt++) {
      const answer = await fleet
        .ask((at + attempt) % 2, method, call)
        .catch((): FleetAnswer => ({ status: 0, body: undefined }));
      if (answer.status < 300 && answer.status > 0) return answer.body as { id: string };
      if (![0, 409, 500, 503].includes(answer.status))
        throw new Error(`${method} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      await Bun.sleep(50 + Math.random() * 100);
    }
    throw new Error(`A ${method} was never answered.`);
  }

  async function listAll(): Promise<{ id: string; status: string; ready: boolean }[]> {
    const all = [];
    for (let cursor = ''; ;) {
      const { body } = await fleet.ask(0, 'GET', { path: `/v1/desktops?limit=100${cursor}` });
      all.push(...body.data);
      if (body.nextCursor === null) return all;
      cursor = `&cursor=${encodeURIComponent(body.nextCursor as string)}`;
    }
  }

  test('two hundred desktops at once, while a replica and a hostd are killed', { timeout: 300_000 }, async () => {
    const isUp = async () => (await listNodes()).filter((node) => node.status === 'up').length;
    await expect.poll(isUp, { timeout: 20_000, interval: 200 }).toBe(nodeNames.length);
    const body = { size: 'nano', network: 'none' };
    const made = Promise.all(
      Array.from({ length: desktopsCount }, (_, at) =>
        surely(at, 'POST', { path: '/v1/desktops', body, key: `create-${at}` }),
      ),
    );
    await Bun.sleep(400);
    await fleet.replicas[1]!.process.end('SIGKILL');
    await nodes[3]!.stop();
    await Bun.sleep(1_000);
    await fleet.replicas[1]!.process.start();
    nodes[3]!.start();

    expect(new Set((await made).map(({ id }) => id)).size).toBe(desktopsCount);
    const ready = async () => (await listAll()).filter((desktop) => desktop.ready).length;
    await expect.poll(ready, { timeout: 240_000, interval: 1_000 }).toBe(desktopsCount);

    const vms = world.vms();
    expect(vms.length).toBe(desktopsCount);
    // An id is a key of the cluster, so two of one id would show as one lost.
    expect(new Set(vms.map((vm) => vm.config.name)).size).toBe(desktopsCount);
    for (const vm of vms) expect(vm.vmid).toBeLessThanOrEqual(vmids.last);
    for (const vm of vms) expect(vm.run, vm.config.name).not.toBeNull();
    for (const { name, reserved } of await listNodes()) {
      const here = vms.filter((vm) => vm.node === name);
      expect(here.length, name).toBeLessThanOrEqual(perNode);
      const { cpus, memoryBytes } = world.double.state.nodes[name]!;
      const sum = (of: 'cores' | 'memory') => here.reduce((total, vm) => total + Number(vm.config[of]), 0);
      expect(sum('cores'), name).toBeLessThanOrEqual(cpus);
      expect(sum('memory') * 2 ** 20, name).toBeLessThanOrEqual(memoryBytes);
      expect(reserved, name).toEqual({ vcpus: here.length, memoryMiB: here.length * 1024, diskGiB: here.length * 8 });
    }
    // No clone was begun and thrown away either, but for the ids that two wanted at once.
    const ends = Object.values(world.double.state.tasks).filter((task) => task.type === 'qmclone');
    expect(ends.filter((task) => task.exitstatus === 'OK').length).toBe(desktopsCount);
  });

  test('all are deleted at once: nothing is left, and nothing is counted', { timeout: 300_000 }, async () => {
    const desktops = await listAll();
    await Promise.all(desktops.map(({ id }, at) => surely(at, 'DELETE', { path: `/v1/desktops/${id}` })));
    await expect.poll(() => world.vms().length, { timeout: 240_000, interval: 500 }).toBe(0);
    const left = async () => (await listNodes()).map((node) => node.reserved);
    const nothing = { vcpus: 0, memoryMiB: 0, diskGiB: 0 };
    await expect.poll(left, { timeout: 30_000, interval: 500 }).toEqual(nodeNames.map(() => nothing));
    const { state, templateId: firstTemplate } = world.double;
    const templates = nodeNames.map((_, at) => firstTemplate + at);
    expect(state.pools.desks!.members.toSorted((a, b) => a - b)).toEqual(templates);
    expect(Object.keys(state.firewalls).filter((path) => path.startsWith('/vms/'))).toEqual([]);
    expect(state.volumes).toEqual({});
  });
});
