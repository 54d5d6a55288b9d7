import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { campaign } from '@lebureau/hostd/crashmatrix/campaign';
import { play, type Mishap, type Plan } from '@lebureau/hostd/crashmatrix/world';
import { findReference } from './api/reference.ts';
import { pveGround } from './pveGround.ts';

/** A part of what `crashmatrix.vm.test.ts` plays in whole, and that it can fail. */
const life: Plan = { mishaps: new Map(), wishes: ['claimed', 'stopped', 'running', 'restart'] };
const short: Plan = { mishaps: new Map(), wishes: [] };

beforeEach(() => {
  let state = 1;
  vi.spyOn(Math, 'random').mockImplementation(() => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.skipIf(findReference() === undefined)('the crash matrix on Proxmox VE (needs shared/reference)', () => {
  const { single } = campaign(pveGround('9.2'), 5);

  test('a whole life survives a crash or a power cut', async () => {
    const tally = await single(life, ['crash', 'powerLoss']);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(30);
  });

  test.each<Mishap>(['deleted', 'claimed'])('%s, and a power cut or a second hostd later', async (wish) => {
    const tally = await campaign(pveGround('9.2'), 30).double(short, [wish], ['powerLoss', 'takeover']);
    expect(tally.failures).toEqual([]);
    expect(tally.runs).toBeGreaterThan(10);
  });

  test('a clone that nobody sees yet is not taken for absent when its desktop is deleted and hostd dies', async () => {
    const { points } = await play(short, pveGround('9.2'));
    const asked = points.indexOf('POST /nodes/{node}/qemu/{vmid}/clone:before') + 1;
    const mishaps = new Map<number, Mishap>([
      [asked, 'deleted'],
      [asked + 1, 'crash'],
    ]);
    const outcome = await play({ mishaps, wishes: [] }, pveGround('9.2'));
    expect(outcome.points[asked]).toBe('POST /nodes/{node}/qemu/{vmid}/clone:after');
    expect(outcome.wrong).toEqual([]);
  });

  test('a guest that never answers is told as such, stopped by force, and deleted', async () => {
    const outcome = await play({ mishaps: new Map(), wishes: ['stopped'], wedged: true }, pveGround('9.2'));
    expect(outcome.wrong).toEqual([]);
    expect(outcome.points).toContain('POST /nodes/{node}/qemu/{vmid}/status/stop:after');
  });

  test.each([
    { what: 'a clone without its marker', flaw: 'markerAfterClone', complaint: 'never: ', every: 16 },
    { what: 'an id that does not follow from the name', flaw: 'anyId', complaint: 'two VMs for one', every: 1 },
    { what: 'an API that forgets clones', flaw: 'forgetsClones', complaint: 'cloned over a lost disk', every: 5 },
  ])('the matrix catches $what', async ({ flaw, complaint, every }) => {
    const plan: Plan = { ...short, losesDisk: flaw === 'forgetsClones', flaw };
    const tally = await campaign(pveGround('9.2'), every).single(plan, ['crash']);
    expect(tally.failures.join('\n')).toContain(complaint);
  });
});
