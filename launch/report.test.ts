import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readReport, unexcused } from './report.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a report that is missing or damaged is no success', () => {
  expect(readReport(join(folder, 'missing.json'))).toBeUndefined();
  writeFileSync(join(folder, 'damaged.json'), '{');
  expect(readReport(join(folder, 'damaged.json'))).toBeUndefined();
});

test('what was skipped is known by name, and only what CI lacks is excused', () => {
  const assertionResults = [
    { status: 'passed', fullName: 'works' },
    { status: 'skipped', fullName: 'hostd (needs KVM) starts' },
    { status: 'pending', fullName: 'files (needs root) are read' },
    { status: 'todo', fullName: 'later' },
  ];
  const path = join(folder, 'some.json');
  writeFileSync(
    path,
    JSON.stringify({
      numPassedTests: 1,
      numFailedTests: 0,
      numFailedTestSuites: 2,
      testResults: [{ assertionResults }],
    }),
  );
  const report = readReport(path)!;
  expect(report).toMatchObject({ passed: 1, failed: 2, skipped: 3 });
  expect(unexcused(report.skippedNames)).toEqual(['files (needs root) are read', 'later']);
});
