import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
const pathOf = (name: string) => {
  const path = join(home, 'recordings', asg, `${name}.cast`);
  return existsSync(path) ? path : undefined;
};
const linesOf = (name: string) =>
  readFileSync(pathOf(name)!, 'utf8')
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
  expect(statSync(pathOf('main')!).mode & 0o777).toBe(0o600);
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
  expect(statSync(pathOf('main')!).size).toBeLessThan(16 * 1_048_576 + 100);
  expect(linesOf('main').at(-1)).toMatchObject([0, 'm', 'the recording is full']);
});

test('of too many the oldest goes; what is old is swept, whoever’s it is', () => {
  for (let at = 0; at < 20; at++) {
    recordings.begin(asg, `t${at}`, size).close();
    const path = pathOf(`t${at}`)!;
    utimesSync(path, 1_700_000_000 + at, 1_700_000_000 + at);
  }
  expect(pathOf('t3')).toBeUndefined();
  expect(pathOf('t4')).toBeDefined();
  utimesSync(pathOf('t5')!, 1_600_000_000, 1_600_000_000);
  recordings.sweep((assignmentId) => assignmentId === asg);
  expect([pathOf('t5'), pathOf('t6') !== undefined]).toEqual([undefined, true]);
  recordings.sweep(() => false);
  expect(pathOf('t6'), 'its desktop may be on another node').toBeDefined();
  for (let at = 6; at < 20; at++) utimesSync(pathOf(`t${at}`)!, 1_600_000_000, 1_600_000_000);
  recordings.sweep(() => false);
  expect(pathOf('t6')).toBeUndefined();
  expect(recordings.remove(asg, 't6')).toBe(false);
});

const otherNode = (fails?: (count: number) => Fault | undefined) => startOtherNode({ clock, recordings, fails });
const textOf = (at: Recordings, name = 'main') => new Response(at.read(asg, name)).text();
const away = () => false;
const never = new AbortController().signal;

test('recordings of a desktop that moved go after it, and are read as one with those taken there', async () => {
  const first = recordings.begin(asg, 'main', size);
  first.output(Buffer.from('here'));
  first.close();
  const { there, left } = otherNode();
  await clock.next(clock.monotonicMs() + 60_000);
  const second = there.begin(asg, 'main', { columns: 100, rows: 30 });
  await clock.next(clock.monotonicMs() + 1_250);
  second.output(Buffer.from('[1,there'));
  await left.send(7, (assignmentId) => assignmentId === asg, never);
  expect(recordings.count(), 'it is still here').toBe(1);
  await left.send(7, away, never);
  expect([recordings.count(), there.count()]).toEqual([0, 2]);
  const lines = (await textOf(there)).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ version: 2, timestamp: 1_700_000_000 }),
    [0, 'o', 'here'],
    [60, 'r', '100x30'],
    [61.25, 'o', '[1,there'],
  ]);
  expect(there.remove(asg, 'main')).toBe(true);
  expect(there.count()).toBe(0);
});

test('a large one goes in pieces, and whatever is lost on the way nothing is missing and nothing twice', async () => {
  const recording = recordings.begin(asg, 'main', size);
  for (let round = 0; round < 5; round++) recording.output(Buffer.alloc(1_000_000, 65 + round));
  recording.close();
  const whole = await textOf(recordings);
  for (const code of ['lost_request', 'lost_answer'])
    for (let lost = 1; lost <= 2; lost++) {
      const { there, left, calls } = otherNode((count) => (count === lost ? new Fault(code, 'lost') : undefined));
      const kept = recordings.left(() => true).map(({ path: _, ...about }) => about);
      await left.send(7, away, never);
      expect(recordings.left(() => true)).toMatchObject(kept);
      await left.send(7, away, never);
      expect(calls(), 'not at once').toBe(lost);
      await clock.next(clock.monotonicMs() + 60_001);
      await left.send(7, away, never);
      expect(recordings.count()).toBe(0);
      expect(await textOf(there)).toBe(whole);
      expect(there.count()).toBe(1);
      // Back to where it was, for the next round.
      const back = new LeftRecordings({
        recordings: there,
        give: async (given) => (recordings.take(given), { isWanted: true }),
        clock,
        log: silentLog,
      });
      await back.send(7, away, never);
    }
});

test('one that is too large to be sent keeps no other of its desktop here, and is not tried again and again', async () => {
  for (const name of ['first', 'large', 'later']) recordings.begin(asg, name, size).close();
  appendFileSync(pathOf('large')!, Buffer.alloc(17 * 1_048_576, 'x'));
  utimesSync(pathOf('large')!, 1_699_999_000, 1_699_999_000);
  const { there, left, calls } = otherNode();
  for (let round = 0; round < 3; round++) await left.send(7, away, never);
  expect([recordings.count(), there.count(), calls()]).toEqual([1, 2, 3]);
  expect(pathOf('large.1700000000')).toBeDefined();
});

test('what came back before it was sent is not doubled, and what nobody wants any more goes', async () => {
  const recording = recordings.begin(asg, 'main', size);
  recording.output(Buffer.from('once'));
  recording.close();
  const { there, left } = otherNode((count) => (count === 1 ? new Fault('lost_answer', 'lost') : undefined));
  await left.send(7, away, never);
  const give = async (given: GivenRecording) => (recordings.take(given), { isWanted: true });
  await new LeftRecordings({ recordings: there, give, clock, log: silentLog }).send(7, away, never);
  expect([recordings.count(), there.count()]).toEqual([1, 0]);
  expect((await textOf(recordings)).match(/once/g)).toHaveLength(1);
  const unwanted = () => Promise.resolve({ isWanted: false });
  await new LeftRecordings({ recordings, give: unwanted, clock, log: silentLog }).send(7, away, never);
  expect(recordings.count()).toBe(0);
});

test('a piece that does not follow, or makes it too large, is refused', () => {
  const piece = { assignmentId: asg, terminalName: 'main', beganAt: 5, changedAtMs: 0, bytes: Buffer.from('abc') };
  expect(() => recordings.take({ ...piece, offset: 3, totalBytes: 6 })).toThrow('Something is missing');
  expect(() => recordings.take({ ...piece, offset: 0, totalBytes: 2 })).toThrow('No recording is so large');
  expect(() => recordings.take({ ...piece, offset: 0, totalBytes: 2 ** 25 })).toThrow('No recording is so large');
  recordings.take({ ...piece, offset: 0, totalBytes: 6 });
  expect(recordings.count()).toBe(0);
});

test('of all that is begun and never ended one draft a desktop is kept', () => {
  const piece = { assignmentId: asg, terminalName: 'main', changedAtMs: 0, bytes: Buffer.from('abc'), totalBytes: 6 };
  for (let beganAt = 1; beganAt <= 3; beganAt++) {
    recordings.take({ ...piece, beganAt, offset: 0 });
    recordings.take({ ...piece, beganAt, terminalName: 'other', offset: 0 });
    expect(() => recordings.take({ ...piece, beganAt: 100 + beganAt, offset: 3 })).toThrow('Something is missing');
  }
  expect(readdirSync(join(home, 'recordings', asg))).toEqual(['other.3.part']);
});

test('what is taken whole is on the disk by name, its folders too', () => {
  const synced: [string, string[]][] = [];
  const there = new Recordings(home, clock, (folder) => void synced.push([folder, readdirSync(folder)]));
  const piece = { assignmentId: asg, terminalName: 'main', beganAt: 5, changedAtMs: 0, bytes: Buffer.from('abc') };
  there.take({ ...piece, offset: 0, totalBytes: 6 });
  expect(synced).toEqual([]);
  there.take({ ...piece, offset: 3, totalBytes: 6 });
  const folder = join(home, 'recordings');
  expect(synced).toEqual([
    [join(folder, asg), ['main.5.cast']],
    [folder, [asg]],
    [home, ['recordings']],
  ]);
});

const given = (beganAt: number, text: string, changedAtMs: number) => {
  const header = `${JSON.stringify({ version: 2, width: 80, height: 24, timestamp: beganAt })}\n`;
  const bytes = Buffer.from(`${header}${text}`);
  const totalBytes = bytes.length;
  recordings.take({ assignmentId: asg, terminalName: 'main', beganAt, offset: 0, totalBytes, changedAtMs, bytes });
};

test('what others send, of whatever time they say, costs nothing that was recorded here and is not kept for ever', () => {
  for (const name of ['main', 'other']) {
    recordings.begin(asg, name, size).close();
    utimesSync(pathOf(name)!, 1_699_999_000, 1_699_999_000);
  }
  for (let beganAt = 1; beganAt <= 20; beganAt++) given(beganAt, '', 2 ** 53);
  recordings.begin(asg, 'third', size).close();
  const names = readdirSync(join(home, 'recordings', asg));
  expect(names).toHaveLength(3 + 16);
  expect(names).toEqual(expect.arrayContaining(['main.cast', 'other.cast', 'third.cast']));
  expect(statSync(pathOf('main.20')!).mtimeMs).toBe(clock.nowMs());
});

test('what was deleted does not come back from where it was recorded; what is recorded later does', async () => {
  const { folder, there, left } = otherNode();
  recordings.begin(asg, 'main', size).close();
  await clock.next(clock.monotonicMs() + 1_000);
  for (let at = 0; at < 80; at++) there.remove(asg, `t${at}`);
  await clock.next(clock.monotonicMs() + 1_000);
  expect(there.remove(asg, 'main')).toBe(false);
  await left.send(7, away, never);
  expect([recordings.count(), there.count()]).toEqual([0, 0]);
  for (const name of ['main', 'other']) recordings.begin(asg, name, size).close();
  await left.send(7, away, never);
  expect([recordings.count(), there.count()]).toEqual([0, 2]);
  expect(readdirSync(join(folder, 'recordings', asg)), 'only so many are remembered').toHaveLength(64 + 2);
});

test('of several that are read as one no more than one is in memory', async () => {
  given(1, '[0,"o","a"]\n', 0);
  given(2, '[0,"o","b"]\n', 0);
  const reader = (recordings.read(asg, 'main') as ReadableStream<Uint8Array>).getReader();
  expect(Buffer.from((await reader.read()).value!).toString()).toContain('"a"');
  appendFileSync(pathOf('main.2')!, '[1,"o","read in its turn"]\n');
  expect(Buffer.from((await reader.read()).value!).toString()).toContain('read in its turn');
  expect((await reader.read()).done).toBe(true);
});

/** How much this thread has read of files until now. */
const readBytes = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/thread-self/io', 'utf8'))![1]);

test('of what waits to be sent only the first line is read, and nothing before it is tried again', async () => {
  const recording = recordings.begin(asg, 'main', size);
  recording.output(Buffer.alloc(1_000_000, 'x'));
  recording.close();
  const { left, calls } = otherNode(() => new Fault('lost_request', 'lost'));
  await left.send(7, away, never);
  const began = readBytes();
  expect(recordings.left(() => true)).toHaveLength(1);
  recordings.begin(asg, 'main', size).close();
  given(1_700_000_000, '', 0);
  const listed = readBytes();
  expect(listed - began).toBeLessThan(50_000);
  await left.send(7, away, never);
  expect([readBytes() - listed < 4000, calls()]).toEqual([true, 1]);
});

test('of a piece that a full disk takes in part nothing is kept, and its sender hears it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-recordings-'));
  const program = `
    const { takePiece } = await import(${JSON.stringify(join(import.meta.dirname, 'givenPiece.ts'))});
    const piece = { terminalName: 'main', beganAt: 5, offset: 0, totalBytes: 3145728, changedAtMs: 0 };
    try {
      takePiece(${JSON.stringify(folder)}, { ...piece, bytes: new Uint8Array(3145728) }, () => 'main.5.cast');
      console.log('taken');
    } catch (error) {
      console.log(error.code);
    }`;
  // What reaches this limit is written in part, as on a full disk.
  const full = Bun.spawnSync(['prlimit', '--fsize=1048576', process.execPath, '-e', program]);
  expect(full.stdout.toString().trim()).toBe('disk_full');
  expect(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size])).toEqual([['main.5.part', 0]]);
});

test('a line that a crash cut off goes, before more is recorded', () => {
  recordings.begin(asg, 'main', size).close();
  appendFileSync(pathOf('main')!, '[1,"o","cut');
  const again = recordings.begin(asg, 'main', size);
  again.output(Buffer.from('more'));
  again.close();
  expect(linesOf('main').slice(1)).toEqual([
    [0, 'r', '80x24'],
    [0, 'o', 'more'],
  ]);
});

describe.skipIf(process.getuid?.() !== 0)('on a full disk (needs root)', () => {
  let small: string;
  beforeEach(() => {
    small = mkdtempSync(join(tmpdir(), 'lb-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,mode=700', 'none', small]);
  });
  afterEach(() => execFileSync('umount', ['-l', small]));
  const castOf = (name: string) => readFileSync(join(small, 'recordings', asg, `${name}.cast`), 'utf8');

  test.each([1, 500])(
    'a recording is whole up to where it ends, and says that it does (lines of %d words)',
    (words) => {
      const told: unknown[] = [];
      const full = new Recordings(small, clock);
      const recording = full.begin(asg, 'main', { ...size, onBroken: (cause) => told.push(cause) });
      const said = Array.from({ length: 5000 }, (_, at) => `line ${at} of what was shown, ${'é '.repeat(words)}`);
      for (const text of said) recording.output(Buffer.from(text));
      recording.resized({ columns: 100, rows: 30 });
      expect(told).toHaveLength(1);
      expect(String(told[0])).toMatch(/ENOSPC|took nothing/);
      const text = castOf('main');
      expect(text.endsWith('\n')).toBe(true);
      const [header, ...events] = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown[]);
      expect(header).toMatchObject({ version: 2 });
      expect(events.pop()).toEqual([0, 'm', 'the recording ended: the disk took no more']);
      expect(Buffer.byteLength(text)).toBeGreaterThan(120_000);
      expect(events).toEqual(said.slice(0, events.length).map((each) => [0, 'o', each]));
      // Once there is room it goes on, for whoever opens the terminal again.
      unlinkSync(join(small, 'recordings', asg, 'main.cast'));
      recording.output(Buffer.from('nobody hears this'));
      recording.close();
      const again = full.begin(asg, 'main', size);
      again.output(Buffer.from('more'));
      again.close();
      expect(castOf('main')).toContain('more');
    },
  );

  test('one that cannot even begin is an error, and leaves nothing', () => {
    const full = new Recordings(small, clock);
    full.begin(asg, 'other', size).close();
    const filler = openSync(join(small, 'filler'), 'w');
    try {
      for (;;) if (writeSync(filler, Buffer.alloc(4096)) < 4096) break;
    } catch {
      // It is full now.
    }
    closeSync(filler);
    expect(() => full.begin(asg, 'main', size)).toThrow(/ENOSPC|took nothing/);
    expect(readdirSync(join(small, 'recordings', asg))).toEqual(['other.cast']);
  });
});
