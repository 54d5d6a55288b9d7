import { expect, test } from 'vitest';
import { campaign } from './crashmatrix/campaign.ts';
import { sameChances } from './crashmatrix/sameChances.ts';
import { play, type Mishap, type Plan } from './crashmatrix/world.ts';

/**
 * Every point where hostd touches the world, times everything that can go wrong there. Time and chance are virtual, so a
 * run that fails once fails always.
 */
sameChances();

const life: Plan = { mishaps: new Map(), wishes: ['claimed', 'stopped', 'running', 'restart'] };
const short: Plan = { mishaps: new Map(), wishes: [] };

const { single, double } = campaign();

test.each<Mishap>(['crash', 'powerLoss', 'lost', 'late', 'fail', 'takeover', 'absence'])(
  'a whole life survives one %s anywhere',
  async (kind) => {
    const tally = await single(life, [kind]);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(60);
  },
);

test.each<Mishap>(['crash', 'powerLoss'])(
  'a delete at every step, with a %s at every later one',
  async (kind) => {
    const tally = await double(short, ['deleted'], [kind]);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(500);
  },
  30_000,
);

test.each<Mishap>(['stopped', 'restart', 'claimed'])(
  '%s at every step, with a crash or a power cut at every later one',
  async (wish) => {
    const tally = await double(short, [wish], ['crash', 'powerLoss']);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(400);
  },
  30_000,
);

test('two crashes, the second at every later point', async () => {
  const tally = await double(short, ['crash'], ['powerLoss', 'crash']);
  expect(tally.failures).toEqual([]);
}, 30_000);

test('an effect that lands long after it was given up, with a delete at every later point', async () => {
  const tally = await double(short, ['late'], ['deleted']);
  expect(tally.failures).toEqual([]);
}, 30_000);

test('a second hostd beside the first, then something at every later point', async () => {
  const tally = await double(short, ['takeover'], ['crash', 'late', 'deleted', 'takeover']);
  expect(tally.failures).toEqual([]);
}, 30_000);

test('a guest that boots slowly', async () => {
  const tally = await single({ ...short, bootMs: 4_000 }, ['crash', 'deleted', 'stopped', 'restart']);
  expect(tally.failures).toEqual([]);
}, 30_000);

test('a guest that never answers is told as such, stopped by force, and deleted', async () => {
  const outcome = await play({ mishaps: new Map(), wishes: ['stopped'], wedged: true });
  expect(outcome.wrong).toEqual([]);
  expect(outcome.points).toContain('kill:after');
});

test('nothing is cloned over a disk that was lost', async () => {
  const tally = await single({ ...short, losesDisk: true, wishes: ['restart', 'stopped', 'running'] }, [
    'crash',
    'powerLoss',
    'late',
    'takeover',
  ]);
  expect(tally.failures).toEqual([]);
}, 30_000);

test.each([
  ['a marker written after the disk', 'markerAfterClone', 'never: ready at first'],
  ['a name that is stored after the clone', 'nameAfterClone', 'two VMs for one assignment'],
  ['an API that forgets that a clone was seen', 'forgetsClones', 'cloned over a lost disk'],
] as const)(
  'the matrix catches %s',
  async (_, flaw, complaint) => {
    const plan: Plan = { ...short, losesDisk: flaw === 'forgetsClones', flaw };
    const tally = await single(plan, ['crash']);
    expect(tally.failures.join('\n')).toContain(complaint);
  },
  30_000,
);
