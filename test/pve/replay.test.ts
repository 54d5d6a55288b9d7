import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { replay } from './replay/player.ts';

const reference = findReference();

describe.skipIf(reference === undefined)('the recorded exchanges (need shared/reference beside the checkout)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`are answered as ${version} answered them`, async () => {
      const outcome = await replay(reference ?? '', version);
      const agreed = outcome.exchanges - outcome.disagreements.length;
      console.log(`${version}: ${agreed} of ${outcome.exchanges} recorded exchanges agree, ${outcome.cases} cases`);
      for (const one of outcome.disagreements)
        console.log(`  ${one.case} ${one.n}: ${one.line}\n    ${one.found.join('\n    ')}`);
      expect(outcome.exchanges).toBeGreaterThan(500);
    });
  }
});
