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

test('nodes and templates are read in pages like every list', async () => {
  const template = { id: '', name: 'x', warmSizes: [], diskMiB: 1, builtAtMs: 0 };
  for (const [at, name] of ['b', 'c', 'd', 'e'].entries())
    await api.node({
      name,
      hello: { templates: [{ ...template, id: `tpl_${'0'.repeat(25)}${name}`, builtAtMs: at }] },
    });
  for (const [operationId, path, names] of [
    ['listNodes', '/v1/nodes', ['b', 'c', 'd', 'e']],
    ['listTemplates', '/v1/templates', ['x', 'x', 'x', 'x']],
  ] as const) {
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 4; pages++) {
      const page = await api.expect<{ data: { name: string }[]; nextCursor: string | null }>(operationId, 200, {
        method: 'GET',
        path: `${path}?limit=3${cursor}`,
      });
      seen.push(...page.data.map((each) => each.name));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(seen.filter((name) => name !== 'double')).toEqual(names);
    await api.expect(operationId, 400, { method: 'GET', path: `${path}?limit=101` });
    await api.expect(operationId, 400, { method: 'GET', path: `${path}?cursor=strange` });
  }
});
