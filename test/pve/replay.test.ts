import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { knownDifferences } from './replay/known.ts';
import { replay } from './replay/player.ts';

const reference = findReference();

describe.skipIf(reference === undefined)('the recorded exchanges (need shared/reference beside the checkout)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`are answered as ${version} answered them`, async () => {
      const { exchanges, cases, disagreements } = await replay(reference ?? '', version);
      const agreed = exchanges - disagreements.length;
      console.log(`${version}: ${agreed} of ${exchanges} recorded exchanges agree, in ${cases} cases`);
      expect(exchanges).toBeGreaterThan(500);
      const unexpected = disagreements.filter((one) => knownDifferences[version][`${one.case} ${one.n}`] === undefined);
      expect(unexpected).toEqual([]);
    });
  }
});
