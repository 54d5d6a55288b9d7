import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figure } from './figure.ts';
import { type Report, withFigures } from './page.ts';

const machine = { cores: 2, memoryGiB: 24, bun: '1', qemu: 'QEMU 7', virtualisation: 'tcg: no /dev/kvm' };
const report = (commit: string, ...figures: Report['figures']): Report => ({
  at: '2026-01-02T00:00:00.000Z',
  commit,
  machine,
  figures,
});
const exec = (value: number) => figure('exec true, p50', 'ms', { value, at: '<=', reach: 150 });
const list = (value: number) => figure('list', 'ratio', { value, at: '>=', reach: 0.5 });

test('a group that is measured again replaces its rows and leaves the others', () => {
  const page = withFigures('# B\n\n<!-- figures --><!-- /figures -->\n\ntext\n', report('aaa', exec(10), list(0.4)));
  const again = withFigures(page, report('bbb', exec(20)));
  expect(again).toContain('| exec true, p50 | 20 ms | ≤ 150 ms | met | `bbb` |');
  expect(again).toContain('| list | 0.4 ratio | ≥ 0.5 ratio | **missed** | `aaa` |');
  expect(again).not.toContain('10 ms');
  expect(again).toContain('tcg: no /dev/kvm');
  expect(again.endsWith('\n\ntext\n')).toBe(true);
});

test('the page as it is keeps its rows', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md'), 'utf8');
  const rows = (text: string) => [...text.matchAll(/^\| .* \| (?:met|\*\*missed\*\*) \|/gm)].map((match) => match[0]);
  expect(rows(page).length).toBeGreaterThan(10);
  expect(rows(withFigures(page, report('ccc')))).toEqual(rows(page));
});
