import { expect, test } from 'vitest';
import type { VmSeen } from './hypervisor/driver.ts';
import { emptyQuarantine, reviewStrangers, type Quarantine, type Round, type Verdict } from './orphans.ts';

const minute = 60_000;
const body = (letter: string) => `01k9x3v6m8e9t2q4r6s8v0w2y${letter}`;
const vm = (letter: string, owner?: string): VmSeen => ({
  vmRef: `lb-${body(letter)}`,
  owner: owner ?? `asg_${body(letter)}`,
  complete: true,
  power: 'off',
  boot: 1,
});
const known = ['a', 'b', 'c'].map((letter) => vm(letter));
const stranger = vm('0');
const orders = (vms: readonly VmSeen[]) => new Set(vms.map((one) => one.vmRef));

function round(atMinute: number, changes: Partial<Round> = {}): Round {
  const base = {
    vms: [...known, stranger],
    ordered: orders(known),
    nodeId: 'nod_1',
    goneForGood: new Set<string>(),
    reclaimAfterMs: 10 * minute,
  };
  return { ...base, nowMs: atMinute * minute, ...changes };
}

function rounds(...all: Round[]): Verdict {
  let quarantine: Quarantine = emptyQuarantine;
  let verdict: Verdict | undefined;
  for (const one of all) {
    verdict = reviewStrangers(quarantine, one);
    quarantine = verdict.quarantine;
  }
  if (verdict === undefined) throw new Error('no round');
  return verdict;
}

test('a stranger of ours is told at once and reclaimed after two sightings ten minutes apart', () => {
  expect(rounds(round(0))).toMatchObject({
    strangers: [{ vmRef: stranger.vmRef, owner: stranger.owner }],
    reclaim: [],
  });
  expect(rounds(round(0), round(9.9)).reclaim).toEqual([]);
  expect(rounds(round(0), round(10)).reclaim).toEqual([{ vmRef: stranger.vmRef, owner: stranger.owner }]);
});

test('one sighting is never enough, however late it is', () => {
  expect(rounds(round(1000)).reclaim).toEqual([]);
});

test.each<[string, VmSeen]>([
  ['without a marker', { ...stranger, owner: undefined }],
  ['with a marker that is no assignment', vm('x', 'customer')],
  ['with the marker of another assignment', vm('x', `asg_${body('z')}`)],
])('a VM in our range %s is told and never reclaimed', (_, odd) => {
  const vms = [...known, odd];
  const verdict = rounds(round(0, { vms }), round(100, { vms }));
  expect(verdict.strangers).toHaveLength(1);
  expect(verdict.reclaim).toEqual([]);
});

test('a VM outside our range is not even told', () => {
  const vms = [...known, { ...stranger, vmRef: 'customer-database' }, { ...stranger, vmRef: `${stranger.vmRef}-1` }];
  expect(rounds(round(0, { vms }), round(100, { vms }))).toMatchObject({ strangers: [], reclaim: [] });
});

test.each<[string, Partial<Round>]>([
  ['the list of VMs failed', { vms: undefined }],
  ['there was no fresh list of orders', { ordered: undefined }],
])('never when %s, and the quarantine begins anew', (_, failure) => {
  expect(rounds(round(0), round(20, failure)).reclaim).toEqual([]);
  expect(rounds(round(0), round(9, failure), round(12)).reclaim).toEqual([]);
  expect(rounds(round(0), round(9, failure), round(12), round(22)).reclaim).toHaveLength(1);
});

test('never after a list of orders that shrank by more than a tenth', () => {
  const verdict = rounds(round(0), round(20, { ordered: orders(known.slice(1)) }));
  expect(verdict).toMatchObject({ reclaim: [], refused: 'the list of orders shrank by more than a tenth' });
});

test('never after a list of VMs that shrank by more than a tenth', () => {
  const verdict = rounds(round(0), round(20, { vms: [...known.slice(1), stranger] }));
  expect(verdict).toMatchObject({ reclaim: [], refused: 'the list of virtual machines shrank by more than a tenth' });
});

test('desktops that were deleted in good order do not count as shrinking', () => {
  const fewer = known.slice(0, 2);
  const after = { vms: [...fewer, stranger], ordered: orders(fewer), goneForGood: new Set([known[2]!.vmRef]) };
  expect(rounds(round(0), round(20, after)).reclaim).toHaveLength(1);
});

test('never when strangers outnumber the rest: it looks as if the orders had been lost', () => {
  const ordered = orders(known.slice(0, 1));
  const verdict = rounds(round(0, { ordered }), round(20, { ordered }));
  expect(verdict.strangers).toHaveLength(3);
  expect(verdict).toMatchObject({ reclaim: [], refused: expect.stringContaining('outnumber') });
});

test('a stranger that gets an order or goes away in between starts from the beginning', () => {
  const ordered = orders([...known, stranger]);
  expect(rounds(round(0), round(5, { ordered }), round(11)).reclaim).toEqual([]);
  expect(rounds(round(0), round(5, { vms: known, goneForGood: new Set([stranger.vmRef]) }), round(11)).reclaim).toEqual(
    [],
  );
});

test('what an API lost stays, however long that API runs on and whatever it orders later', () => {
  const left = orders(known.slice(1));
  const lost = [round(20, { ordered: left }), round(40, { ordered: left }), round(10_000, { ordered: left })];
  expect(rounds(round(0), ...lost)).toMatchObject({ kept: [known[0]!.vmRef], reclaim: [{ vmRef: stranger.vmRef }] });
  const more = ['d', 'e', 'f'].map((letter) => vm(letter));
  const grown = { vms: [...known, ...more], ordered: orders([...known.slice(1), ...more]) };
  expect(rounds(round(0), ...lost, round(10_001, grown), round(20_000, grown))).toMatchObject({
    kept: [known[0]!.vmRef],
    reclaim: [],
  });
});

test('what was lost is remembered over a restart of hostd', () => {
  const { nodeId, entrusted, newest } = rounds(round(0)).quarantine;
  const ordered = orders(known.slice(1));
  let quarantine: Quarantine = { ...emptyQuarantine, nodeId, entrusted, newest };
  for (const atMinute of [0, 20]) quarantine = reviewStrangers(quarantine, round(atMinute, { ordered })).quarantine;
  expect(reviewStrangers(quarantine, round(40, { ordered })).kept).toEqual([known[0]!.vmRef]);
});

test('never when an API that was made anew knows this node under another id', () => {
  const nodeId = 'nod_2';
  const verdict = rounds(round(0), round(20, { nodeId }), round(40, { nodeId }), round(60, { nodeId }));
  expect(verdict).toMatchObject({ reclaim: [], refused: 'the API does not know this node any more' });
  expect(verdict.quarantine.nodeId).toBe('nod_1');
});

test('never while there is no order at all', () => {
  const empty = { vms: [stranger], ordered: new Set<string>() };
  expect(rounds(round(0, empty), round(1000, empty))).toMatchObject({
    reclaim: [],
    refused: 'there is no order at all',
  });
});

test('never what is newer than all that was ordered: an old backup does not know it', () => {
  const newer = { vms: [...known, vm('x')] };
  expect(rounds(round(0, newer), round(1000, newer))).toMatchObject({ reclaim: [], kept: [vm('x').vmRef] });
});

test('a clone that lands after its absence was told is a stranger like any other', () => {
  const deleted = {
    vms: known.slice(0, 2),
    ordered: orders(known.slice(0, 2)),
    goneForGood: new Set([known[2]!.vmRef]),
  };
  const late = { vms: known, ordered: orders(known.slice(0, 2)) };
  expect(rounds(round(0), round(1, deleted), round(2, late), round(12, late)).reclaim).toMatchObject([
    { vmRef: known[2]!.vmRef },
  ]);
});

test('what came from another node is shown and never reclaimed: its order may be on its way', () => {
  const identity = { mac: '52:54:00:00:00:01', machineId: '0'.repeat(32) };
  const arrived = { ...round(0), vms: [...known, { ...stranger, identity }] };
  const verdict = rounds(arrived, { ...arrived, nowMs: 1000 * minute });
  expect(verdict).toMatchObject({ reclaim: [], kept: [stranger.vmRef], strangers: [{ vmRef: stranger.vmRef }] });
});
