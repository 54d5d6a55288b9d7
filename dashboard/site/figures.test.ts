import { expect, test } from 'vitest';
import { figureOf } from './figures.ts';

const table = [
  '| what | measured | to reach | | commit |',
  '| pool | 0.0194 s | ≤ 0.3 s | met | `a` |',
  '| warm | 0.688 s | ≤ 1.2 s | met | `a` |',
  '| memory | 104.066 MiB | ≤ 110 MiB | met | `a` |',
  '| list | 0.467 ratio | ≥ 0.5 ratio | **missed** | `a` |',
].join('\n');

test('figures are said as people say them', () => {
  expect(['pool', 'warm', 'memory'].map((what) => figureOf(table, what))).toEqual(['19 ms', '0.69 s', '104 MiB']);
});

test('what was missed, or never measured, is not boasted of', () => {
  expect(() => figureOf(table, 'list')).toThrow('«list»');
  expect(() => figureOf(table, 'nothing')).toThrow('«nothing»');
});
