import { expect, test } from 'vitest';
import { addressing, blockNetwork, blocksMax, slotOfNamespace, slotsMax } from './addressing.ts';

const uidBase = 400_000;

test('no two slots of any two blocks share a uid, a name or an address', () => {
  const seen = new Set<string | number>();
  let count = 0;
  for (const block of [0, 1, 17, blocksMax - 1]) {
    for (let slot = 0; slot < slotsMax; slot++) {
      const each = addressing(block, slot, uidBase);
      for (const value of [each.uid, each.namespace, each.link, each.hostAddress, each.guestAddress]) seen.add(value);
      count += 5;
    }
  }
  expect(seen.size).toBe(count);
});

test('interface names fit the limit of Linux and addresses stay inside 198.18.0.0/15', () => {
  const last = addressing(blocksMax - 1, slotsMax - 1, uidBase);
  expect(last.link.length).toBeLessThanOrEqual(15);
  expect(last.guestAddress).toBe('198.19.255.255');
  expect(addressing(0, 0, uidBase).hostAddress).toBe('198.18.0.0');
  expect(blockNetwork(1)).toBe('198.18.8.0/21');
  expect(addressing(1, 0, uidBase).hostAddress).toBe('198.18.8.0');
});

test('only namespaces of the own block are recognised', () => {
  expect(slotOfNamespace(5, 'lb5-12')).toBe(12);
  expect(slotOfNamespace(5, 'lb50-12')).toBeUndefined();
  expect(slotOfNamespace(5, 'docker0')).toBeUndefined();
  expect(slotOfNamespace(5, 'lb5-12x')).toBeUndefined();
});
