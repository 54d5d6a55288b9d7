import { expect, test } from 'vitest';
import { type PlacementNode, type PlacementWish, placeDesktop } from './placement.ts';

const template = { id: 'tpl_a', name: 'a', warmSizes: ['1x1024'], builtAtMs: 1 };
const node = (change: Partial<PlacementNode> = {}): PlacementNode => ({
  id: 'n1',
  heard: true,
  cordoned: false,
  vcpus: 4,
  memoryMiB: 8192,
  diskFreeMiB: 100_000,
  reservedVcpus: 0,
  reservedMemoryMiB: 0,
  network: 'isolated',
  templates: [template],
  ...change,
});
const wish: PlacementWish = { vcpus: 1, memoryMiB: 1024, diskGiB: 8, template: undefined, network: undefined };
const overcommit = { vcpus: 2, memory: 1 };
const idsOf = (places: ReturnType<typeof placeDesktop>) =>
  'none' in places ? places.none : places.map((place) => place.nodeId);

test('warm goes before cold, then most free memory', () => {
  const cold = node({ id: 'cold', templates: [{ ...template, warmSizes: [] }] });
  const fuller = node({ id: 'fuller', reservedMemoryMiB: 4096 });
  expect(idsOf(placeDesktop(wish, [cold, fuller, node()], overcommit))).toEqual(['n1', 'fuller', 'cold']);
});

test.each<[string, Partial<PlacementNode>]>([
  ['silent', { heard: false }],
  ['cordoned', { cordoned: true }],
  ['without the template', { templates: [] }],
  ['full of memory', { reservedMemoryMiB: 7200 }],
  ['full of processors', { reservedVcpus: 8 }],
  ['without disk', { diskFreeMiB: 2000 }],
])('a node that is %s gets none', (_about, change) => {
  expect(placeDesktop(wish, [node(change)], overcommit)).toHaveProperty('none');
});

test('the newest template is taken, or the one that is named', () => {
  const newer = { ...template, id: 'tpl_b', name: 'b', builtAtMs: 2 };
  const nodes = [node({ templates: [template, newer] })];
  expect(placeDesktop(wish, nodes, overcommit)).toMatchObject([{ template: { id: 'tpl_b' } }]);
  expect(placeDesktop({ ...wish, template: 'a' }, nodes, overcommit)).toMatchObject([{ template: { id: 'tpl_a' } }]);
});

test('internet is given where a node has it, and refused where it was asked for and none has', () => {
  const without = [node({ network: 'none' })];
  expect(placeDesktop(wish, without, overcommit)).toMatchObject([{ network: 'none' }]);
  expect(placeDesktop({ ...wish, network: 'internet' }, without, overcommit)).toHaveProperty('none');
  expect(placeDesktop({ ...wish, network: 'none' }, [node()], overcommit)).toMatchObject([{ network: 'none' }]);
});
