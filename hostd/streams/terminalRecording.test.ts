import { mkdtempSync, readFileSync } from 'node:fs';
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
