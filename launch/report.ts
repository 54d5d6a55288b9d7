import { readFileSync } from 'node:fs';

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  /** Full names of the tests that were skipped; each says why. */
  skippedNames: string[];
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

/** What this project's CI lacks: nothing else may be skipped there. */
const lacking = /\bKVM\b|container engine|\bjammy\b|real Proxmox VE/;

/** Reads a JSON report of vitest. @returns undefined when there is none, or it is damaged: nothing is known then. */
export function readReport(path: string): Totals | undefined {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as VitestReport;
    const tests = report.testResults.flatMap((file) => file.assertionResults);
    const skipped = tests.filter(({ status }) => status === 'pending' || status === 'skipped' || status === 'todo');
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests || report.numFailedTestSuites,
      skipped: skipped.length,
      skippedNames: skipped.map(({ fullName }) => fullName),
    };
  } catch {
    return undefined;
  }
}

/** Those of the skipped tests that may not be skipped in CI. */
export function unexcused(skippedNames: readonly string[]): string[] {
  return skippedNames.filter((name) => !lacking.test(name));
}
