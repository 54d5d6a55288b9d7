import { expect, test } from 'vitest';
import { checkAddressing, guestAddress, prefixOf, vmidsToTry } from './addressing.ts';

const range = { first: 100_000, last: 160_000 };
const network = { cidr: '10.77.0.0/16', gateway: '10.77.0.1', resolver: '9.9.9.9', blocked: [] };

test('the ids of a VM follow from its name, stay in the range and come round', () => {
  const ids = vmidsToTry('lb-01k9x3v6m8e9t2q4r6s8v0w2y4', range);
  expect(ids).toEqual(vmidsToTry('lb-01k9x3v6m8e9t2q4r6s8v0w2y4', range));
  expect(new Set(ids).size).toBe(64);
  const few = vmidsToTry('lb-01k9x3v6m8e9t2q4r6s8v0w2y4', { first: 200, last: 203 });
  expect(few.toSorted((a, b) => a - b)).toEqual([200, 201, 202, 203]);
});

test('every id has an address of its own, behind those of the network itself', () => {
  expect(guestAddress(100_000, range, network)).toBe('10.77.1.0');
  expect(guestAddress(160_000, range, network)).toBe('10.77.235.96');
  expect(prefixOf(network.cidr)).toBe(16);
});

test.each([
  [{ ...network, cidr: '10.77.0.0/24' }, 'no room'],
  [{ ...network, cidr: '10.77.1.0/16' }, 'bits of the host'],
  [{ ...network, cidr: '10.77.0.0' }, 'no IPv4 network'],
  [{ ...network, gateway: '10.78.0.1' }, 'not one of the first'],
  [{ ...network, gateway: 'gate' }, 'no IPv4 address'],
])('%o is refused', (wrong, why) => {
  expect(() => checkAddressing(range, wrong)).toThrow(why);
});
