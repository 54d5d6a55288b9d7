import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import type { NodeIdentity } from './nodeIdentity.ts';
import { Renewal, type RenewalParts } from './renewal.ts';

const dayMs = 86_400_000;
const identity: NodeIdentity = {
  nodeId: 'nod_1',
  nodeName: 'node',
  apiAddress: 'https://api',
  authority: 'ca',
  certificate: 'old',
  privateKey: 'old key',
  issuedAtMs: 0,
  expiresAtMs: 30 * dayMs,
};

/** A node on that day of the thirty that its certificate lasts. */
function onDay(day: number, change: Partial<RenewalParts> = {}) {
  const kept: object[] = [];
  const parts: RenewalParts = {
    identity: () => identity,
    renew: () => Promise.resolve({ certificate: 'new', expiresAtMs: (day + 30) * dayMs }),
    newRequest: () => Promise.resolve({ requestPem: 'request', privateKeyPem: 'new key' }),
    keep: (renewed) => kept.push(renewed),
    clock: { ...systemClock, nowMs: () => day * dayMs },
    log: silentLog,
    ...change,
  };
  return { renewal: new Renewal(parts), kept };
}

test.each([
  [14, 0],
  [15, 1],
  [20, 1],
  [31, 1],
])('on day %i of thirty it is renewed %i times', async (day, times) => {
  const { renewal, kept } = onDay(day);
  await renewal.ifDue();
  expect(kept.length).toBe(times);
  await renewal.close();
});

test('the new certificate comes with a new key', async () => {
  const { renewal, kept } = onDay(16);
  await renewal.ifDue();
  expect(kept).toEqual([
    {
      certificate: 'new',
      privateKey: 'new key',
      issuedAtMs: 16 * dayMs,
      expiresAtMs: 46 * dayMs,
    },
  ]);
});

test('what the API does not answer changes nothing', async () => {
  const { renewal, kept } = onDay(16, { renew: () => Promise.reject(new Error('away')) });
  await expect(renewal.ifDue()).rejects.toThrow('away');
  expect(kept).toEqual([]);
  await renewal.close();
});

test('the API may want it at any time; asked twice at once it is done once', async () => {
  const { renewal, kept } = onDay(1);
  renewal.now();
  renewal.now();
  await expect.poll(() => kept.length).toBe(1);
  await renewal.close();
  expect(kept.length).toBe(1);
});
