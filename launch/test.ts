import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureSystemPackages } from './systemPackages.ts';
import { ensureTemplate } from './template.ts';

/**
 * All tests: the fast check, then the whole system with real VMs. What is built once (template, downloads) is kept
 * in a folder that the unprivileged users of the VMs can reach, so that the next run is quicker.
 */
const root = join(import.meta.dir, '..');
const yes = process.argv.includes('--yes') || process.env['CI'] === 'true';
const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const reports = mkdtempSync(join(tmpdir(), 'lebureau-reports-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

try {
  await ensureSystemPackages({ yes, tests: true });
  if (wanted.length === 0) runCheck();
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

function count(report: string): number {
  try {
    const result = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    const failed = (result['numFailedTests'] ?? 0) || (result['numFailedTestSuites'] ?? 0);
    totals.passed += result['numPassedTests'] ?? 0;
    totals.failed += failed;
    totals.skipped += (result['numPendingTests'] ?? 0) + (result['numTodoTests'] ?? 0);
    return failed;
  } catch {
    return 0;
  }
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
