import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '@lebureau/kit/fault';
import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../virtualclock.ts';
import { ControlLeases } from './controlLeases.ts';
import { leaseRecordOf } from './leaseRecord.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const human = { kind: 'human', by: 'key_1' } as const;
const agent = { kind: 'agent', by: 'key_2' } as const;
let clock: VirtualClock;
let home: string;
let changes: string[];
beforeEach(() => {
  clock = new VirtualClock();
  home = mkdtempSync(join(tmpdir(), 'lb-leases-'));
  changes = [];
});

const open = (version?: number) =>
  new ControlLeases({
    clock,
    record: leaseRecordOf(home),
    versionOf: () => version,
    onChange: (id) => changes.push(id),
  });
const codeOf = (work: () => unknown) => {
  try {
    work();
    return 'done';
  } catch (error) {
    return isFault(error) ? error.code : String(error);
  }
};
const pass = async (ms: number) => {
  const until = clock.monotonicMs() + ms;
  while (await clock.next(until));
  await clock.settle();
};

test('nobody holds it at first, and every agent may write', () => {
  const leases = open();
  expect(leases.of(asg)).toEqual({ holder: null, expiresAt: null });
  expect(codeOf(() => leases.demandWriter(asg, undefined))).toBe('done');
});

test('while a person holds it agents are refused, and told by whom', () => {
  const leases = open();
  const { leaseToken } = leases.take(asg, { ...human, name: 'Ada' });
  expect(codeOf(() => leases.demandWriter(asg, undefined))).toBe('human_control');
  expect(codeOf(() => leases.demandWriter(asg, `lease_${'A'.repeat(43)}`))).toBe('human_control');
  expect(codeOf(() => leases.take(asg, agent))).toBe('human_control');
  expect(codeOf(() => leases.take(asg, { ...agent, takeOver: true }))).toBe('human_control');
  expect(codeOf(() => leases.demandWriter(asg, leaseToken))).toBe('done');
  expect(leases.of(asg).holder).toMatchObject({ kind: 'human', name: 'Ada', by: 'key_1' });
});

test('a person takes it from an agent at once, and from a person on purpose only', () => {
  const leases = open();
  const first = leases.take(asg, agent);
  expect(codeOf(() => leases.take(asg, { ...agent, by: 'key_3' }))).toBe('control_held');
  const second = leases.take(asg, human);
  expect(leases.holds(asg, first.leaseToken)).toBe(false);
  expect(codeOf(() => leases.take(asg, human))).toBe('human_control');
  leases.take(asg, { ...human, takeOver: true });
  expect(leases.holds(asg, second.leaseToken)).toBe(false);
  expect(changes).toHaveLength(3);
});

test('who hands it back must hold it; what was handed back is worth nothing', () => {
  const leases = open();
  const { leaseToken } = leases.take(asg, human);
  expect(codeOf(() => leases.handBack(asg, undefined))).toBe('human_control');
  leases.handBack(asg, leaseToken);
  expect(leases.of(asg).holder).toBeNull();
  leases.take(asg, agent);
  // A lease that is over is not stolen back by whoever had it.
  expect(codeOf(() => leases.demandWriter(asg, leaseToken))).toBe('control_held');
  expect(codeOf(() => leases.handBack(asg, leaseToken))).toBe('control_held');
  expect(codeOf(() => leases.take(asg, { ...agent, leaseToken }))).toBe('control_held');
});

test('it lapses when it is not used, and stays while it is', async () => {
  const leases = open();
  const { leaseToken } = leases.take(asg, { ...human, ttlSeconds: 60 });
  for (let round = 0; round < 5; round++) {
    await pass(50_000);
    leases.touch(asg);
  }
  expect(leases.holds(asg, leaseToken)).toBe(true);
  expect(changes).toHaveLength(1);
  await pass(61_000);
  // By itself: nobody had to ask.
  expect(changes).toHaveLength(2);
  expect(leases.of(asg).holder).toBeNull();
});

test('the token renews it without a change for others', async () => {
  const leases = open();
  const { leaseToken, holder } = leases.take(asg, { ...human, ttlSeconds: 60 });
  await pass(50_000);
  expect(leases.take(asg, { ...human, ttlSeconds: 600, leaseToken })).toMatchObject({ leaseToken, holder });
  await pass(500_000);
  expect(leases.holds(asg, leaseToken)).toBe(true);
  expect(changes).toHaveLength(1);
});

test('a restart of hostd gives nothing away, and keeps no token', async () => {
  const { leaseToken } = open().take(asg, { ...human, ttlSeconds: 60 });
  const text = readFileSync(join(home, 'control.json'), 'utf8');
  expect(text).not.toContain(leaseToken);
  expect(statSync(join(home, 'control.json')).mode & 0o777).toBe(0o600);
  const restarted = open();
  expect(codeOf(() => restarted.demandWriter(asg, undefined))).toBe('human_control');
  expect(restarted.holds(asg, leaseToken)).toBe(true);
  await pass(61_000);
  expect(restarted.of(asg).holder).toBeNull();
  writeFileSync(join(home, 'control.json'), '[["x"');
  expect(open().of(asg).holder).toBeNull();
});

test('who watches hears each change', () => {
  const leases = open();
  let heard = 0;
  const stop = leases.watch(asg, () => (heard += 1));
  const { leaseToken } = leases.take(asg, human);
  leases.handBack(asg, leaseToken);
  stop();
  leases.take(asg, human);
  expect(heard).toBe(2);
});

test('what was held before a move counts nowhere after it, wherever the desktop goes', () => {
  const before = open(3);
  const { leaseToken } = before.take(asg, { ...human, ttlSeconds: 600 });
  // This hostd died before it could end it; the desktop went away and came back meanwhile.
  const back = open(5);
  changes.length = 0;
  expect(back.holds(asg, leaseToken)).toBe(false);
  expect(changes).toEqual([asg]);
  expect(back.of(asg)).toEqual({ holder: null, expiresAt: null });
  expect(codeOf(() => back.demandWriter(asg, undefined))).toBe('done');
  expect(back.take(asg, { ...agent, leaseToken }).leaseToken).not.toBe(leaseToken);
});

test('a restart before the orders are known, and one of a former version, take it from nobody', () => {
  const { leaseToken } = open(3).take(asg, human);
  expect(open().holds(asg, leaseToken)).toBe(true);
  expect(open(3).holds(asg, leaseToken)).toBe(true);
  const [[id, lease]] = JSON.parse(readFileSync(join(home, 'control.json'), 'utf8')) as [
    [string, { version?: number }],
  ];
  delete lease.version;
  writeFileSync(join(home, 'control.json'), JSON.stringify([[id, lease]]));
  expect(open(3).holds(asg, leaseToken)).toBe(true);
});

/** On a disk that can be full. */
function openOnDisk() {
  const record = leaseRecordOf(home);
  const disk = { isFull: false };
  const write: typeof record.write = (leases) => {
    if (disk.isFull) throw new Error('ENOSPC');
    record.write(leases);
  };
  const parts = { clock, versionOf: () => 0, onChange: (id: string) => changes.push(id) };
  return { disk, leases: new ControlLeases({ ...parts, record: { ...record, write } }) };
}

test('a lease lapses on a full disk, too: by itself, and for whoever asks', async () => {
  const { disk, leases } = openOnDisk();
  leases.take(asg, { ...human, ttlSeconds: 60 });
  let told = 0;
  leases.watch(asg, () => (told += 1));
  disk.isFull = true;
  // Nothing that was not caught may come out of this: hostd would stop.
  await pass(61_000);
  expect([told, changes.length]).toEqual([1, 2]);
  expect(codeOf(() => leases.demandWriter(asg, undefined))).toBe('done');
  expect(leases.of(asg).holder).toBeNull();
});

test('a desktop that leaves takes control from whoever had it, and says so, also with a full disk', () => {
  const { disk, leases } = openOnDisk();
  const { leaseToken } = leases.take(asg, human);
  let told = 0;
  leases.watch(asg, () => (told += 1));
  disk.isFull = true;
  leases.end(asg);
  expect([told, leases.holds(asg, leaseToken), leases.of(asg).holder]).toEqual([1, false, null]);
  disk.isFull = false;
  leases.end(asg);
  expect(told).toBe(1);
});
