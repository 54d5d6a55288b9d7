import { afterAll, beforeAll, expect, test } from 'vitest';
import { askTls, helloBody, joinOverTls } from '../testing/joiner.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';

let api: TestApi;
beforeAll(async () => {
  const placement = { overcommit: { vcpus: 16, memory: 1, disk: 1 }, strategy: 'spread' as const };
  api = await startTestApi({ config: { placement, nodeListen: { tls: { hostname: '127.0.0.1', port: 0 } } } });
});
afterAll(() => api.stop());

interface Seen {
  capacity: { diskMiB: number; diskFreeMiB: number };
  reserved: { diskGiB: number };
  overBooked: { vcpus: number; memoryMiB: number; diskGiB: number };
}
const templateId = `tpl_${'0'.repeat(26)}`;
const templates = [{ id: templateId, name: 'x', warmSizes: [], diskMiB: 1, builtAtMs: 0 }];

/** A node that says how its disk is, and the desktops that go to it alone. */
async function startNode(name: string) {
  const { tls, nodeId } = await joinOverTls(api, name);
  const path = `/v1/nodes/${nodeId}`;
  await api.expect('updateNode', 200, { method: 'PATCH', path, body: { labels: { name } } });
  let epoch: number | undefined;
  return {
    begin() {
      epoch = undefined;
    },
    async says(disk: { diskFreeMiB: number; diskHeldMiB?: number }): Promise<Seen> {
      const answer = await askTls(api, '/node/v1/hello', { tls, body: helloBody(name, { epoch, templates, ...disk }) });
      epoch = ((await answer.json()) as { epoch: number }).epoch;
      return api.expect<Seen>('getNode', 200, { method: 'GET', path });
    },
    async create(diskGiB: number): Promise<number> {
      const hardware = { vcpus: 1, memoryMiB: 512, diskGiB };
      const body = { hardware, network: 'none', nodeSelector: { name } };
      return (await api.ask('POST', '/v1/desktops', { body })).status;
    },
  };
}

test('what desktops write is not counted twice, and a disk that shrinks is promised no more', async () => {
  const node = await startNode('shrinks');
  expect((await node.says({ diskFreeMiB: 100_000, diskHeldMiB: 0 })).capacity.diskMiB).toBe(100_000);
  expect(await node.create(60)).toBe(201);
  const grown = await node.says({ diskFreeMiB: 60_000, diskHeldMiB: 40_000 });
  expect(grown).toMatchObject({ capacity: { diskMiB: 100_000, diskFreeMiB: 60_000 }, overBooked: { diskGiB: 0 } });
  expect(await node.create(20)).toBe(201);
  // Half of what was free is gone, and not to desktops.
  const shrunk = await node.says({ diskFreeMiB: 30_000, diskHeldMiB: 40_000 });
  expect(shrunk).toMatchObject({
    capacity: { diskMiB: 70_000 },
    reserved: { diskGiB: 80 },
    overBooked: { diskGiB: 12 },
  });
  expect(await node.create(8)).toBe(503);
  const again = await node.says({ diskFreeMiB: 60_000, diskHeldMiB: 40_000 });
  expect(again).toMatchObject({ capacity: { diskMiB: 100_000 }, overBooked: { vcpus: 0, memoryMiB: 0, diskGiB: 0 } });
  expect(await node.create(8)).toBe(201);
});

test('a hostd that has just started, and may count what nobody ordered, makes no node larger', async () => {
  const node = await startNode('restarts');
  await node.says({ diskFreeMiB: 50_000, diskHeldMiB: 10_000 });
  node.begin();
  expect((await node.says({ diskFreeMiB: 50_000, diskHeldMiB: 30_000 })).capacity.diskMiB).toBe(60_000);
  expect((await node.says({ diskFreeMiB: 50_000, diskHeldMiB: 20_000 })).capacity.diskMiB).toBe(70_000);
  node.begin();
  expect((await node.says({ diskFreeMiB: 20_000, diskHeldMiB: 10_000 })).capacity.diskMiB).toBe(30_000);
});

test('of an older hostd no more is believed than it had before and can have now', async () => {
  const node = await startNode('older');
  expect((await node.says({ diskFreeMiB: 100_000 })).capacity.diskMiB).toBe(100_000);
  expect(await node.create(20)).toBe(201);
  expect((await node.says({ diskFreeMiB: 90_000 })).capacity.diskMiB, 'desktops may have written it').toBe(100_000);
  expect((await node.says({ diskFreeMiB: 40_000 })).capacity.diskMiB).toBe(40_000 + 20 * 1024);
  expect((await node.says({ diskFreeMiB: 200_000 })).capacity.diskMiB).toBe(200_000);
});
