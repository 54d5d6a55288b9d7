import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readReport, unexcused } from './report.ts';
import { ensureSystemPackages } from './systemPackages.ts';
import { ensureTemplate } from './template.ts';
import { ensureWeb } from './web.ts';

/**
 * All tests: the fast check, then the whole system with real VMs. What is built once (template, downloads) is kept
 * in a folder that the unprivileged users of the VMs can reach, so that the next run is quicker.
 */
const root = join(import.meta.dir, '..');
const inCi = process.env['CI'] === 'true';
const yes = process.argv.includes('--yes') || inCi;
const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const reports = mkdtempSync(join(tmpdir(), 'lebureau-reports-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

try {
  await ensureSystemPackages({ yes, tests: true });
  if (wanted.length === 0) runCheck();
  ensureWeb(root);
  const home = testHome();
  // Named, so that no other mirror is asked.
  await ensureTemplate({ home, cacheDir: cacheDir(), suite: 'bookworm', out: process.stdout });
  runVmTests(home);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  totals.failed += 1;
} finally {
  rmSync(reports, { recursive: true, force: true });
}
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 ? 0 : 1);

function runCheck(): void {
  const report = join(reports, 'unit.json');
  const run = spawnSync(process.execPath, [join(root, 'launch/check.ts')], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LEBUREAU_UNIT_REPORT: report },
  });
  const failures = count(report);
  // A failure that is no test (format, lint, types …) counts as one too.
  if (run.status !== 0 && failures === 0) totals.failed += 1;
}

function runVmTests(home: string): void {
  const report = join(reports, 'vm.json');
  const vitest = join(root, 'node_modules/.bin/vitest');
  const args = [
    '--bun',
    vitest,
    'run',
    '--config',
    'test/vm.vitest.config.ts',
    '--reporter=verbose',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...wanted,
  ];
  const run = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LEBUREAU_TEST_HOME: home },
  });
  const failures = count(report);
  if (run.status !== 0 && failures === 0) totals.failed += 1;
}

/** @returns how many failed; a report that is not there is one. */
function count(path: string): number {
  const report = readReport(path);
  if (report === undefined) {
    console.error(`The tests left no report in ${path}.`);
    totals.failed += 1;
    return 1;
  }
  totals.passed += report.passed;
  totals.failed += report.failed;
  totals.skipped += report.skipped;
  for (const name of report.skippedNames) console.log(`skipped: ${name}`);
  const excuseless = inCi ? unexcused(report.skippedNames) : [];
  if (excuseless.length > 0) console.error(`These may not be skipped here:\n  ${excuseless.join('\n  ')}`);
  totals.failed += excuseless.length;
  return report.failed + excuseless.length;
}

function testHome(): string {
  return (
    process.env['LEBUREAU_TEST_HOME'] ??
    (process.getuid?.() === 0 ? '/var/tmp/lebureau-test' : join(cacheDir(), 'test-home'))
  );
}

function cacheDir(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(process.env['HOME'] ?? '/root', '.cache'), 'lebureau');
}
