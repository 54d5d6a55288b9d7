import { expect, test } from 'vitest';
import { campaign } from './crashmatrix/campaign.ts';
import { sameChances } from './crashmatrix/sameChances.ts';
import { play, type Mishap, type Plan } from './crashmatrix/world.ts';

/** The crash matrix of moves: two hostds, and whatever can go wrong at either of them. */
const anew = sameChances();

const { single } = campaign();
/** One of so many pairs; the whole run plays all. */
const every = 3;
const { double } = campaign(undefined, every);
const moving: Plan = { mishaps: new Map(), wishes: ['moved'], members: ['node', 'other'], moveMs: 3_000 };

test.each<Mishap>(['crash', 'powerLoss', 'lost', 'late', 'fail', 'takeover', 'absence'])(
  'a move between two nodes survives one %s anywhere, at either of them',
  async (kind) => {
    const tally = await single({ ...moving, wishes: ['moved', 'restart', 'moved', 'stopped', 'moved'] }, [kind]);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(60);
  },
  30_000,
);

test.each<Mishap>(['moved'])(
  '%s at every step of a move, with a crash or a power cut at every later one',
  async (wish) => {
    const tally = await double(moving, [wish], ['crash', 'powerLoss']);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(400 / every);
  },
  60_000,
);

/** With the same chances as every other: up to its first mishap each goes as the one without, so that a point's number is its name. */
function replay(plan: Plan): ReturnType<typeof play> {
  anew();
  return play(plan);
}

/** From there on the hypervisor brings it to the other node by itself, so that one has to do the rest. */
const isUnderWay = (point: string) => point.startsWith('move:') && point !== 'move:before';

test.each<Mishap | 'nothing'>(['nothing', 'deleted', 'stopped', 'unmoved'])(
  'the other node finishes the move of a node that never comes back, with %s at every later point',
  async (wish) => {
    const { points } = await replay(moving);
    const wrong: string[] = [];
    for (const [at, point] of points.entries()) {
      if (!isUnderWay(point)) continue;
      for (let later = at + 2; later <= (wish === 'nothing' ? at + 2 : points.length); later++) {
        const mishaps = new Map<number, Mishap>([[at + 1, 'gone']]);
        if (wish !== 'nothing') mishaps.set(later, wish);
        const played = await replay({ ...moving, mishaps });
        wrong.push(...played.wrong.map((each) => `gone at ${point}, then at ${later}: ${each}`));
      }
    }
    expect(wrong).toEqual([]);
  },
);

test.each([
  ['an identity that is not written before the move', 'identityAfterMove', 'gone'],
  ['a home that is written over what another wrote', 'settlesBlindly', 'late'],
] as const)('the matrix catches %s', async (_, flaw, mishap) => {
  const plan: Plan = { ...moving, wishes: ['moved', 'restart', 'moved'], flaw };
  const { points } = await replay(plan);
  const mishaps = new Map<number, Mishap>([[points.indexOf('move:arrived') + 1, mishap]]);
  expect((await replay({ ...plan, mishaps })).wrong).toContainEqual(expect.stringContaining('never: moved'));
});

test.each([
  ['a new home that is written before the move', 'homeBeforeMove', 'never: '],
  ['a move that is begun while it runs', 'movesTwice', 'moved while it was being moved'],
  ['an order that changes hands without a new identity', 'keepsIdentityVersion', 'takes itself for another'],
  ['an API that does not hear of arrivals', 'ignoresArrivals', 'never: moved'],
] as const)(
  'the matrix catches %s',
  async (_, flaw, complaint) => {
    const wrong: string[] = [];
    const { points } = await replay(moving);
    for (const mishap of ['powerLoss', 'crash'] as const)
      for (let at = 1; at <= points.length && wrong.length === 0; at++)
        wrong.push(...(await replay({ ...moving, flaw, mishaps: new Map([[at, mishap]]) })).wrong);
    expect(wrong.join('\n')).toContain(complaint);
  },
  30_000,
);
