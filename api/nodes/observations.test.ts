import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

test('memory is let go when a machine is off, and counted again when it is seen to run after all', async () => {
  const node = await api.node();
  const reserved = async () => {
    const { data } = await api.expect<{ data: { reserved: { vcpus: number; memoryMiB: number } }[] }>(
      'listNodes',
      200,
      {
        method: 'GET',
        path: '/v1/nodes',
      },
    );
    const { vcpus, memoryMiB } = data[0]!.reserved;
    return [vcpus, memoryMiB];
  };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { size: 'nano' },
  });
  await api.expect('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=5` });
  const held = await reserved();
  expect(held[1]).toBeGreaterThan(0);
  const { assignmentId } = node.orders().find((order) => order.desktopId === id)!;
  await node.turnOff(assignmentId);
  expect(await reserved()).toEqual([0, 0]);
  await node.turnOn(assignmentId);
  expect(await reserved()).toEqual(held);
  await node.turnOff(assignmentId);
  expect(await reserved()).toEqual([0, 0]);
});
