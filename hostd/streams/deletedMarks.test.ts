import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../virtualclock.ts';
import { type GivenRecording, LeftRecordings } from './leftRecordings.ts';
import { Recordings } from './recordings.ts';
import { startOtherNode } from './testing/otherNode.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const size = { columns: 80, rows: 24 };
let clock: VirtualClock;
let home: string;
let recordings: Recordings;
beforeEach(() => {
  clock = new VirtualClock();
  home = mkdtempSync(join(tmpdir(), 'lb-recordings-'));
  recordings = new Recordings(home, clock);
});
const otherNode = (fails?: (count: number) => Fault | undefined) => startOtherNode({ clock, recordings, fails });
const textOf = (at: Recordings) => new Response(at.read(asg, 'main')).text();
const away = () => false;
const never = new AbortController().signal;

test('what was deleted goes with the desktop: it does not come back from a node that was away, before or after', async () => {
  // Recorded here, which is away; deleted on a second node; and the desktop moved on to a third one.
  recordings.begin(asg, 'main', size).close();
  recordings.begin(asg, 'kept', size).close();
  const ofFirst = recordings
    .left(() => true)
    .map(({ path, ...about }) => {
      const bytes = readFileSync(path);
      return { ...about, offset: 0, totalBytes: bytes.length, bytes };
    });
  await clock.next(clock.monotonicMs() + 2_000);
  for (const isLate of [false, true]) {
    const { there: third, folder } = otherNode();
    const give = async (given: GivenRecording) => (third.take(given), { isWanted: true });
    const second = new Recordings(mkdtempSync(join(tmpdir(), 'lb-recordings-')), clock);
    second.remove(asg, 'main');
    const marks = second.leftMarks(() => true).map(({ atMs }) => atMs);
    await clock.next(clock.monotonicMs() + 2_000);
    third.begin(asg, 'main', size).close();
    const beganAt = clock.nowMs() / 1000;
    if (isLate) for (const piece of ofFirst) third.take(piece);
    await new LeftRecordings({ recordings: second, give, clock, log: silentLog }).send(7, away, never);
    if (!isLate) for (const piece of ofFirst) third.take(piece);
    expect(second.leftMarks(() => true)).toEqual([]);
    const names = readdirSync(join(folder, 'recordings', asg)).toSorted();
    expect(names).toEqual(['kept.1700000000.cast', 'main.cast', 'main.deleted']);
    expect(third.left(() => true).find(({ terminalName }) => terminalName === 'main')?.beganAt).toBe(beganAt);
    // The same again, or an older one, changes nothing.
    const mark = { assignmentId: asg, terminalName: 'main', beganAt: 0, offset: 1, totalBytes: 1, bytes: Buffer.of() };
    for (const changedAtMs of [5, marks[0]!]) third.take({ ...mark, changedAtMs, deleted: true });
    expect(third.leftMarks(() => true).map(({ atMs }) => atMs)).toEqual(marks);
    // Nor does the clock of another node say that something is deleted that is recorded later.
    third.take({ ...mark, terminalName: 'kept', changedAtMs: 2 ** 52, deleted: true });
    expect(third.leftMarks(() => true).at(-1)).toMatchObject({ terminalName: 'kept', atMs: clock.nowMs() });
    // A hostd that is older knows no such thing, and refuses it.
    expect(() => third.take({ ...mark, terminalName: 'old', changedAtMs: 5 })).toThrow('Something is missing');
  }
});

test('deleting that cannot be sent is kept and sent later, and goes where nobody wants it', async () => {
  recordings.remove(asg, 'main');
  const { there, left, calls } = otherNode((count) => (count === 1 ? new Fault('lost_request', 'lost') : undefined));
  await left.send(7, away, never);
  expect([recordings.leftMarks(() => true).length, there.leftMarks(() => true).length]).toEqual([1, 0]);
  await clock.next(clock.monotonicMs() + 60_001);
  await left.send(7, away, never);
  expect([recordings.leftMarks(() => true).length, there.leftMarks(() => true).length, calls()]).toEqual([0, 1, 2]);
  const unwanted = () => Promise.resolve({ isWanted: false });
  await new LeftRecordings({ recordings: there, give: unwanted, clock, log: silentLog }).send(7, away, never);
  expect(there.leftMarks(() => true)).toEqual([]);
});

const ahead = { assignmentId: asg, terminalName: 'main', beganAt: 0, offset: 1, totalBytes: 1, bytes: Buffer.of() };
const comeFromAhead = (at: Recordings) => at.take({ ...ahead, changedAtMs: clock.nowMs() + 600_000, deleted: true });

test('a node whose clock is ahead deletes nothing that is recorded here after the deletion, here and further on', async () => {
  const bytes = Buffer.from('{"version":2,"timestamp":1600000000}\n');
  const whole = { ...ahead, beganAt: 1_600_000_000, offset: 0, totalBytes: bytes.length, changedAtMs: 0, bytes };
  recordings.take(whole);
  recordings.take({
    ...ahead,
    beganAt: 1_600_000_001,
    offset: 0,
    totalBytes: 6,
    changedAtMs: 0,
    bytes: Buffer.from('a'),
  });
  const recording = recordings.begin(asg, 'main', size);
  recording.output(Buffer.from('made after the deletion'));
  await clock.next(clock.monotonicMs() + 5_000);
  comeFromAhead(recordings);
  recording.output(Buffer.from('and goes on'));
  expect(await textOf(recordings)).toMatch(/made after the deletion[^]*and goes on/);
  // What came from others is deleted, whole or not.
  expect(readdirSync(join(home, 'recordings', asg)).toSorted()).toEqual(['main.cast', 'main.deleted']);
  const { there, left } = otherNode();
  await left.send(7, away, never);
  expect(await textOf(there)).toMatch(/made after the deletion[^]*and goes on/);
});

test('what was recorded here, before the desktop was deleted of it elsewhere and came back, is deleted; what follows is not', async () => {
  recordings.begin(asg, 'main', size).output(Buffer.from('deleted'));
  const { left } = otherNode(() => new Fault('lost_request', 'lost'));
  await left.send(7, away, never);
  await clock.next(clock.monotonicMs() + 5_000);
  recordings.begin(asg, 'main', size).output(Buffer.from('after it came back'));
  comeFromAhead(recordings);
  const text = await textOf(recordings);
  expect([text.includes('deleted'), text.includes('after it came back')]).toEqual([false, true]);
});

test('what is recorded while somebody deletes it ends, and says so; opened again it begins anew', async () => {
  const told: string[] = [];
  const recording = recordings.begin(asg, 'main', { ...size, onBroken: (cause) => told.push(String(cause)) });
  recording.output(Buffer.from('before'));
  recordings.take({ ...ahead, beganAt: 5, offset: 0, totalBytes: 6, changedAtMs: 0, bytes: Buffer.from('a') });
  expect(recordings.remove(asg, 'main')).toBe(true);
  for (let round = 0; round < 2; round++) recording.output(Buffer.from('nobody hears this'));
  expect(told).toEqual(['Error: the recording was removed']);
  expect(readdirSync(join(home, 'recordings', asg))).toEqual(['main.deleted']);
  recordings.begin(asg, 'main', size).output(Buffer.from('anew'));
  recording.close();
  expect((await textOf(recordings)).split('\n').slice(1)).toEqual(['[0,"o","anew"]', '']);
});
