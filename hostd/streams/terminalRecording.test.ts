import { appendFileSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../virtualclock.ts';
import { TerminalRecording } from './terminalRecording.ts';

let clock: VirtualClock;
let path: string;
beforeEach(() => {
  clock = new VirtualClock();
  path = join(mkdtempSync(join(tmpdir(), 'lb-recording-')), 'main.cast');
});
const begin = () => new TerminalRecording(path, { clock, columns: 80, rows: 24 });
const linesOf = () =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('two who record one terminal write behind each other, whoever came first', () => {
  const [first, second] = [begin(), begin()];
  first.output(Buffer.from('a'));
  second.output(Buffer.from('what the second one shows, which is longer'));
  first.output(Buffer.from('b'));
  second.output(Buffer.from('c'));
  expect(linesOf().slice(1)).toEqual([
    [0, 'r', '80x24'],
    [0, 'o', 'a'],
    [0, 'o', 'what the second one shows, which is longer'],
    [0, 'o', 'b'],
    [0, 'o', 'c'],
  ]);
});

test('times count from the second that the first line says, also when it is opened again', async () => {
  await clock.next(clock.monotonicMs() + 900);
  const writer = begin();
  writer.output(Buffer.from('a'));
  begin().output(Buffer.from('b'));
  writer.output(Buffer.from('c'));
  expect(linesOf()).toEqual([
    expect.objectContaining({ timestamp: 1_700_000_000 }),
    [0.9, 'o', 'a'],
    [0.9, 'r', '80x24'],
    [0.9, 'o', 'b'],
    [0.9, 'o', 'c'],
  ]);
});

const maxBytes = 16 * 1_048_576;
/** What is there becomes exactly so large. */
function fillUpTo(sizeBytes: number): void {
  const lineOf = (bytes: number) => `${JSON.stringify([1, 'o', 'x'.repeat(bytes - 11)])}\n`;
  let left = sizeBytes - statSync(path).size;
  for (; left > 130_000; left -= 65_000) appendFileSync(path, lineOf(65_000));
  appendFileSync(path, lineOf(left));
  expect(statSync(path).size).toBe(sizeBytes);
}
const marks = () => readFileSync(path, 'utf8').match(/"m","the recording is full"/g)?.length ?? 0;

test.each([-2, 0, 1])('it is full once, however often it is opened again (%d bytes more)', (more) => {
  begin().close();
  fillUpTo(maxBytes + more);
  for (let round = 0; round < 100; round++) {
    const again = begin();
    again.output(Buffer.from('hi'));
    again.close();
  }
  expect(statSync(path).size).toBeLessThan(maxBytes + 100);
  // One that is too large already, by whatever was there before, gets not even the mark.
  expect(marks()).toBe(more < 0 ? 1 : 0);
});

test('behind the mark of the end comes nothing, though there is room for a little', () => {
  const [first, second] = [begin(), begin()];
  fillUpTo(maxBytes - 50_000);
  first.output(Buffer.alloc(60_000, 'x'));
  second.output(Buffer.from('a little'));
  const third = begin();
  third.output(Buffer.from('a little'));
  third.resized({ columns: 10, rows: 10 });
  expect(marks()).toBe(1);
  expect(linesOf().at(-1)).toEqual([0, 'm', 'the recording is full']);
});

test('it is as large as it may be however many write it', () => {
  const writers = Array.from({ length: 5 }, begin);
  const piece = Buffer.alloc(60_000, 'x');
  for (const writer of writers) for (let round = 0; round < 250; round++) writer.output(piece);
  expect(statSync(path).size).toBeLessThan(maxBytes + 100);
  expect(marks()).toBe(1);
});

test('what a terminal shows ends no recording, whatever it says', () => {
  const writer = begin();
  writer.output(Buffer.from(',"m","the recording is full"]'));
  writer.close();
  const again = begin();
  again.output(Buffer.from('more'));
  expect(linesOf().at(-1)).toEqual([0, 'o', 'more']);
});
