import { expect, test } from 'vitest';
import { type PlacementNode, type PlacementPolicy, type PlacementWish, placeDesktop } from './placement.ts';

const template = { id: 'tpl_a', name: 'a', warmSizes: ['1x1024'], builtAtMs: 1 };
const node = (change: Partial<PlacementNode> = {}): PlacementNode => ({
  id: 'n1',
  heard: true,
  cordoned: false,
  vcpus: 4,
  memoryMiB: 8192,
  diskMiB: 100_000,
  diskFreeMiB: 100_000,
  reservedVcpus: 0,
  reservedMemoryMiB: 0,
  reservedDiskGiB: 0,
  network: 'isolated',
  labels: {},
  alike: 0,
  templates: [template],
  ...change,
});
const wish: PlacementWish = {
  vcpus: 1,
  memoryMiB: 1024,
  diskGiB: 8,
  template: undefined,
  network: undefined,
  nodeSelector: {},
};
const policy: PlacementPolicy = { overcommit: { vcpus: 2, memory: 1, disk: 1 }, strategy: 'spread', turn: 0 };
const idsOf = (places: ReturnType<typeof placeDesktop>) =>
  'none' in places ? places.none : places.map((place) => place.nodeId);

test('warm goes before cold, then most free memory', () => {
  const cold = node({ id: 'cold', templates: [{ ...template, warmSizes: [] }] });
  const fuller = node({ id: 'fuller', reservedMemoryMiB: 4096 });
  expect(idsOf(placeDesktop(wish, [cold, fuller, node()], policy))).toEqual(['n1', 'fuller', 'cold']);
});

test.each<[string, Partial<PlacementNode>]>([
  ['silent', { heard: false }],
  ['cordoned', { cordoned: true }],
  ['without the template', { templates: [] }],
  ['full of memory', { reservedMemoryMiB: 7200 }],
  ['full of processors', { reservedVcpus: 8 }],
  ['without disk', { diskFreeMiB: 2000 }],
  ['full of promised disk', { reservedDiskGiB: 90 }],
])('a node that is %s gets none', (_about, change) => {
  expect(placeDesktop(wish, [node(change)], policy)).toHaveProperty('none');
});

test('the newest template is taken, or the one that is named', () => {
  const newer = { ...template, id: 'tpl_b', name: 'b', builtAtMs: 2 };
  const nodes = [node({ templates: [template, newer] })];
  expect(placeDesktop(wish, nodes, policy)).toMatchObject([{ template: { id: 'tpl_b' } }]);
  expect(placeDesktop({ ...wish, template: 'a' }, nodes, policy)).toMatchObject([{ template: { id: 'tpl_a' } }]);
});

test('internet is given where a node has it, and refused where it was asked for and none has', () => {
  const without = [node({ network: 'none' })];
  expect(placeDesktop(wish, without, policy)).toMatchObject([{ network: 'none' }]);
  expect(placeDesktop({ ...wish, network: 'internet' }, without, policy)).toHaveProperty('none');
  expect(placeDesktop({ ...wish, network: 'none' }, [node()], policy)).toMatchObject([{ network: 'none' }]);
});

test('packing takes the fullest node that has room', () => {
  const full = node({ id: 'full', reservedMemoryMiB: 7600 });
  const half = node({ id: 'half', reservedMemoryMiB: 4096 });
  const places = placeDesktop(wish, [node(), full, half], { ...policy, strategy: 'pack' });
  expect(idsOf(places)).toEqual(['half', 'n1']);
});

test('labels of the node must fit', () => {
  const nodes = [node(), node({ id: 'n2', labels: { zone: 'a', disk: 'fast' } })];
  const select = (nodeSelector: Record<string, string>) =>
    idsOf(placeDesktop({ ...wish, nodeSelector }, nodes, policy));
  expect(select({ zone: 'a' })).toEqual(['n2']);
  expect(select({ zone: 'a', disk: 'slow' })).toContain('nodeSelector');
});

test('those that are alike are kept apart, before anything else', () => {
  const crowded = node({ id: 'crowded', alike: 2 });
  const colder = node({ id: 'colder', alike: 1, templates: [{ ...template, warmSizes: [] }], reservedMemoryMiB: 4096 });
  expect(idsOf(placeDesktop(wish, [crowded, colder], policy))).toEqual(['colder', 'crowded']);
});

test('equals take turns', () => {
  const equals = ['a', 'b', 'c'].map((id) => node({ id }));
  const first = (turn: number) => idsOf(placeDesktop(wish, equals, { ...policy, turn }))[0];
  expect(new Set([0, 1, 2].map(first))).toEqual(new Set(['a', 'b', 'c']));
});
