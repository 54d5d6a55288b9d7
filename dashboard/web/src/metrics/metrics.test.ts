import { expect, test } from 'vitest';
import { language } from '../language.ts';
import { type Measured, type MeasuredPoint, tailFrom, withTail } from './measured.ts';
import { loneOf, stretchesOf, summaryOf } from './series.ts';
import { incrementsOf, sayValue } from './units.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const points = (from: number, to: number, mark: number) => {
  const all: MeasuredPoint[] = [];
  for (let each = from; each < to; each += 10) all.push({ at: at(each), cpuCores: mark } as MeasuredPoint);
  return all;
};
const measured = (from: number, to: number, mark: number): Measured => ({
  from: at(from),
  to: at(to),
  stepSeconds: 10,
  points: points(from, to, mark),
});

test('a tail replaces what was there, goes on after it, and what is too old goes', () => {
  const merged = withTail(measured(0, 100, 1), measured(60, 120, 2), 100);
  expect(merged).toMatchObject({ from: at(20), to: at(120), stepSeconds: 10 });
  expect(merged.points.map((point) => [Date.parse(point.at) / 1000, point.cpuCores])).toEqual(
    [20, 30, 40, 50, 60, 70, 80, 90, 100, 110].map((each) => [each, each < 60 ? 1 : 2]),
  );
  expect(tailFrom(measured(0, 600, 1))).toBe(at(480));
});

test('units are those of the measure, in the words of the language', () => {
  expect([sayValue(12.345, 'percent'), sayValue(null, 'percent')]).toEqual(['12%', '–']);
  expect([sayValue(512, 'mebibytes'), sayValue(1536, 'mebibytes')]).toEqual(['512 MiB', '1.5 GiB']);
  expect([sayValue(0, 'bytesPerSecond'), sayValue(999, 'bytesPerSecond')]).toEqual(['0 B/s', '999 B/s']);
  expect([sayValue(1000, 'bytesPerSecond'), sayValue(2.5e9, 'bytesPerSecond')]).toEqual(['1 kB/s', '2.5 GB/s']);
  language.set('fr');
  expect(sayValue(1536, 'mebibytes')).toContain('1,5');
  language.set('en');
  expect(incrementsOf('mebibytes')).toEqual(expect.arrayContaining([512, 1024, 2048]));
  expect(incrementsOf('bytesPerSecond')).toEqual(expect.arrayContaining([500, 1000, 2000]));
});

test('what is not known is neither zero nor part of a mean', () => {
  expect(summaryOf([null, 2, null, 4, null])).toEqual({ now: 4, mean: 3, highest: 4 });
  expect(summaryOf([null])).toEqual({ now: null, mean: null, highest: null });
  expect(stretchesOf([[1, 3, null, null, 5]], 3)).toEqual([
    { at: 0, means: [2] },
    { at: 2, means: [null] },
    { at: 4, means: [5] },
  ]);
  expect(stretchesOf([[]], 3)).toEqual([]);
  expect(loneOf([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7]);
});
