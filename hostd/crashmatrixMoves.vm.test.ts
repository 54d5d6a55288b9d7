import { expect, test } from 'vitest';
import { campaign } from './crashmatrix/campaign.ts';
import { sameChances } from './crashmatrix/sameChances.ts';
import type { Mishap } from './crashmatrix/world.ts';

/** The thousands of pairs of the crash matrix of moves for which the fast check has no time. */
sameChances();
const { double } = campaign();

test.each<Mishap>(['moved', 'unmoved', 'deleted', 'stopped', 'restart'])(
  '%s at every step of a move, with a crash or a power cut at every later one',
  { timeout: 120_000 },
  async (wish) => {
    const moving = { mishaps: new Map(), wishes: ['moved' as const], members: ['node', 'other'], moveMs: 3_000 };
    const tally = await double(moving, [wish], ['crash', 'powerLoss']);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(400);
  },
);
