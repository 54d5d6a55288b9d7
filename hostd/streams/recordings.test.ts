import { mkdtempSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../virtualclock.ts';
import { Recordings } from './recordings.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const size = { columns: 80, rows: 24 };
let clock: VirtualClock;
let recordings: Recordings;
beforeEach(() => {
  clock = new VirtualClock();
  recordings = new Recordings(mkdtempSync(join(tmpdir(), 'lb-recordings-')), clock);
});
const linesOf = (name: string) =>
  readFileSync(recordings.pathOf(asg, name)!, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('a recording is asciicast v2; a character that comes in two pieces is whole', async () => {
  const recording = recordings.begin(asg, 'main', size);
  await clock.next(clock.monotonicMs() + 1500);
  const text = Buffer.from('é€');
  recording.output(text.subarray(0, 1));
  recording.output(text.subarray(1, 4));
  recording.output(text.subarray(4));
  recording.resized({ columns: 100, rows: 30 });
  recording.close();
  recording.output(Buffer.from('late'));
  expect(linesOf('main')).toEqual([
    { version: 2, width: 80, height: 24, timestamp: 1_700_000_000, env: { TERM: 'xterm-256color' } },
    [1.5, 'o', 'é'],
    [1.5, 'o', '€'],
    [1.5, 'r', '100x30'],
  ]);
  expect(statSync(recordings.pathOf(asg, 'main')!).mode & 0o777).toBe(0o600);
});

test('the same terminal again goes on in the same file and time', async () => {
  recordings.begin(asg, 'main', size).close();
  await clock.next(clock.monotonicMs() + 60_000);
  const again = recordings.begin(asg, 'main', { columns: 90, rows: 20 });
  again.output(Buffer.from('more'));
  again.close();
  expect(linesOf('main').slice(1)).toEqual([
    [60, 'r', '90x20'],
    [60, 'o', 'more'],
  ]);
});

test('it has an end, which it says', () => {
  const recording = recordings.begin(asg, 'main', size);
  const piece = Buffer.alloc(1_048_576, 'x');
  for (let round = 0; round < 40; round++) recording.output(piece);
  recording.close();
  expect(statSync(recordings.pathOf(asg, 'main')!).size).toBeLessThan(16 * 1_048_576 + 100);
  expect(linesOf('main').at(-1)).toMatchObject([0, 'm', 'the recording is full']);
});

test('of too many the oldest goes; what is old is swept, whoever’s it is', () => {
  for (let at = 0; at < 20; at++) {
    recordings.begin(asg, `t${at}`, size).close();
    const path = recordings.pathOf(asg, `t${at}`)!;
    utimesSync(path, 1_700_000_000 + at, 1_700_000_000 + at);
  }
  expect(recordings.pathOf(asg, 't3')).toBeUndefined();
  expect(recordings.pathOf(asg, 't4')).toBeDefined();
  utimesSync(recordings.pathOf(asg, 't5')!, 1_600_000_000, 1_600_000_000);
  recordings.sweep((assignmentId) => assignmentId === asg);
  expect([recordings.pathOf(asg, 't5'), recordings.pathOf(asg, 't6') !== undefined]).toEqual([undefined, true]);
  recordings.sweep(() => false);
  expect(recordings.pathOf(asg, 't6'), 'its desktop may be on another node').toBeDefined();
  for (let at = 6; at < 20; at++) utimesSync(recordings.pathOf(asg, `t${at}`)!, 1_600_000_000, 1_600_000_000);
  recordings.sweep(() => false);
  expect(recordings.pathOf(asg, 't6')).toBeUndefined();
  expect(recordings.remove(asg, 't6')).toBe(false);
});
