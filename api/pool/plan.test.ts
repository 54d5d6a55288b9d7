import { expect, test } from 'vitest';
import { type Demand, type Member, planPool, recentCreates } from './plan.ts';

const nowMs = 10_000_000;
const settings = { membersMax: 4, memoryPercent: 50 };
const demand = (poolKey: string, creates: number, change: Partial<Demand> = {}): Demand => ({
  poolKey,
  templateId: 'tpl_a',
  vcpus: 1,
  memoryMiB: 1024,
  diskGiB: 8,
  network: 'internet',
  recentMilli: creates * 1000,
  lastMs: nowMs,
  ...change,
});
const member = (poolKey: string, change: Partial<Member> = {}): Member => ({
  assignmentId: `asg_${poolKey}`,
  poolKey,
  nodeId: 'nod_1',
  memoryMiB: 1024,
  ready: true,
  heard: true,
  spoilt: false,
  ...change,
});
const plan = (demands: Demand[], members: Member[], change: { memoryMiB?: number; settings?: typeof settings } = {}) =>
  planPool(
    change.settings ?? settings,
    { demand: demands, members, memoryMiB: change.memoryMiB ?? 100_000, templateIds: new Set(['tpl_a']) },
    nowMs,
  );

test('one create makes one machine wait, many make more, never more than the limit', () => {
  expect(plan([demand('a', 1)], []).add).toHaveLength(1);
  expect(plan([demand('a', 1)], [member('a')]).add).toHaveLength(0);
  expect(plan([demand('a', 9)], [member('a'), member('a')]).add).toHaveLength(1);
  expect(
    plan(
      [demand('a', 1000)],
      Array.from({ length: 4 }, () => member('a')),
    ).add,
  ).toHaveLength(0);
});

test('demand fades, and a kind that nobody asked for is not kept', () => {
  expect(recentCreates({ recentMilli: 8000, lastMs: nowMs - 600_000 }, nowMs)).toBe(4);
  const old = demand('a', 50, { lastMs: nowMs - 3_600_000 });
  expect(plan([old], [member('a')])).toMatchObject({ add: [], drop: [{ poolKey: 'a' }] });
});

test('the budget of memory is for the most wanted', () => {
  const { add, drop } = plan([demand('a', 1), demand('b', 12)], [member('a')], { memoryMiB: 4096 });
  expect(add.map(({ poolKey }) => poolKey)).toEqual(['b']);
  expect(drop.map(({ poolKey }) => poolKey)).toEqual(['a']);
});

test('what is spoilt goes and is replaced; of too many those that are not ready go first', () => {
  const spoilt = plan([demand('a', 1)], [member('a', { spoilt: true })]);
  expect([spoilt.add.length, spoilt.drop.length]).toEqual([1, 1]);
  const slow = member('a', { ready: false, assignmentId: 'asg_slow' });
  expect(plan([demand('a', 1)], [member('a'), slow]).drop).toEqual([slow]);
});

test('what waits on a node that is not heard is left alone, and serves nobody', () => {
  const away = member('a', { heard: false });
  expect(plan([demand('a', 1)], [away])).toMatchObject({ add: [{ poolKey: 'a' }], drop: [] });
  expect(plan([], [away], { memoryMiB: 0 })).toEqual({ add: [], drop: [] });
});

test('a template that is gone, or a pool that was switched off, empties it', () => {
  const other = member('b', { assignmentId: 'asg_b' });
  expect(plan([demand('b', 9, { templateId: 'tpl_gone' })], [other])).toEqual({ add: [], drop: [other] });
  expect(plan([demand('b', 9)], [other], { settings: { membersMax: 0, memoryPercent: 50 } })).toEqual({
    add: [],
    drop: [other],
  });
});
