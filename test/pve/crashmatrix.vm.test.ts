import { describe, expect, test } from 'vitest';
import { campaign } from '@lebureau/hostd/crashmatrix/campaign';
import { sameChances } from '@lebureau/hostd/crashmatrix/sameChances';
import { play, type Mishap, type Plan } from '@lebureau/hostd/crashmatrix/world';
import { findReference } from './api/reference.ts';
import { pveGround } from './pveGround.ts';

/** The whole of `hostd/crashmatrix.test.ts` with hostd's Proxmox VE driver: a point before and after every request that changes something. */
const life: Plan = { mishaps: new Map(), wishes: ['claimed', 'stopped', 'running', 'restart'] };
const short: Plan = { mishaps: new Map(), wishes: [] };
/** One of how many points and of how many pairs: the versions differ in little that a second time could find. */
const versions = [
  ['9.2', { points: 1, every: 9 }],
  ['8.4', { points: 3, every: 29 }],
] as const;

describe.skipIf(findReference() === undefined).each(versions)('the crash matrix on Proxmox VE %s', (version, part) => {
  sameChances();
  const { every } = part;
  const { single } = campaign(pveGround(version), part.points);
  const { double } = campaign(pveGround(version), every);

  test.each<Mishap>(['crash', 'powerLoss', 'lost', 'late', 'fail', 'takeover', 'absence'])(
    'a whole life survives one %s anywhere',
    async (kind) => {
      const tally = await single(life, [kind]);
      expect(tally.failures).toEqual([]);
      expect(tally.runs).toBeGreaterThan(100 / part.points);
    },
  );

  test.each<Mishap>(['crash', 'powerLoss'])('a delete at every step, with a %s at every later one', async (kind) => {
    const tally = await double(short, ['deleted'], [kind]);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(500 / every);
  });

  test.each<Mishap>(['stopped', 'restart', 'claimed'])(
    '%s at every step, with a crash or a power cut at every later one',
    async (wish) => {
      const tally = await double(short, [wish], ['crash', 'powerLoss']);
      expect(tally.failures).toEqual([]);
      expect(tally.runs).toBeGreaterThan(400 / every);
    },
  );

  test('two crashes, the second at every later point', async () => {
    const tally = await double(short, ['crash'], ['powerLoss', 'crash']);
    expect(tally.failures).toEqual([]);
  });

  test('a request that lands long after it was given up, with a delete at every later point', async () => {
    const tally = await double(short, ['late'], ['deleted']);
    expect(tally.failures).toEqual([]);
  });

  test('a second hostd beside the first, then something at every later point', async () => {
    const tally = await double(short, ['takeover'], ['crash', 'late', 'deleted', 'takeover']);
    expect(tally.failures).toEqual([]);
  });

  test('a clone that nobody sees yet is not taken for absent when its desktop is deleted and hostd dies', async () => {
    const { points } = await play(short, pveGround(version));
    const asked = points.indexOf('POST /nodes/{node}/qemu/{vmid}/clone:before') + 1;
    const mishaps = new Map<number, Mishap>([[asked, 'deleted']]);
    const { points: then } = await play({ mishaps, wishes: [] }, pveGround(version));
    const answered = then.indexOf('POST /nodes/{node}/qemu/{vmid}/clone:after') + 1;
    mishaps.set(answered, 'crash');
    const outcome = await play({ mishaps, wishes: [] }, pveGround(version));
    expect(outcome.points[answered - 1]).toBe('POST /nodes/{node}/qemu/{vmid}/clone:after');
    expect(outcome.wrong).toEqual([]);
  });

  test('a guest that boots slowly', async () => {
    const tally = await single({ ...short, bootMs: 4_000 }, ['crash', 'deleted', 'stopped', 'restart']);
    expect(tally.failures).toEqual([]);
  });

  test('a guest that never answers is told as such, stopped by force, and deleted', async () => {
    const outcome = await play({ mishaps: new Map(), wishes: ['stopped'], wedged: true }, pveGround(version));
    expect(outcome.wrong).toEqual([]);
    expect(outcome.points).toContain('POST /nodes/{node}/qemu/{vmid}/status/stop:after');
  });

  test('nothing is cloned over a disk that was lost', async () => {
    const plan: Plan = { ...short, losesDisk: true, wishes: ['restart', 'stopped', 'running'] };
    const tally = await single(plan, ['crash', 'powerLoss', 'late', 'takeover']);
    expect(tally.failures).toEqual([]);
  });
});

describe.skipIf(findReference() === undefined)('the crash matrix on Proxmox VE can fail', () => {
  test.each([
    { what: 'a clone without its marker', flaw: 'markerAfterClone', complaint: 'never: ', every: 8 },
    { what: 'an id that does not follow from the name', flaw: 'anyId', complaint: 'two VMs for one', every: 1 },
    { what: 'an API that forgets clones', flaw: 'forgetsClones', complaint: 'cloned over a lost disk', every: 1 },
  ])('the matrix catches $what', async ({ flaw, complaint, every }) => {
    const plan: Plan = { ...short, losesDisk: flaw === 'forgetsClones', flaw };
    const tally = await campaign(pveGround('9.2'), every).single(plan, ['crash']);
    expect(tally.failures.join('\n')).toContain(complaint);
  });
});
