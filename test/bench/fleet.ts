import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { Figure } from './figure.ts';
import { metricsDayFigures, metricsLiveFigures } from '../fleet/metricsFigures.ts';
import { createsFigures, returnFigures, steadyCreatedFigures, steadyFigures } from '../fleet/figures.ts';

/**
 * `npm run bench:fleet [-- names…]`: prints every figure of a fleet as JSON. A figure that is missed is printed as missed.
 * The group `proxmox` needs root and a built template (LEBUREAU_TEST_HOME).
 */
process.env['LEBUREAU_TEST_HOME'] ??= existsSync('/var/tmp/lebureau-test/templates')
  ? '/var/tmp/lebureau-test'
  : '/var/lib/lebureau';
// After the variable above is set: the harness reads it when it is loaded.
const { proxmoxFigures } = await import('./proxmoxFigures.ts');

// Bun lets 256 requests go at once, and each node of this process waits for orders in one; it reads this when it starts.
const requestsAtOnce = 'BUN_CONFIG_MAX_HTTP_REQUESTS';
if (process.env[requestsAtOnce] === undefined) {
  const run = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, [requestsAtOnce]: '5000' },
  });
  process.exit(run.status ?? 1);
}

const groups: Record<string, () => Promise<Figure[]>> = {
  creates: createsFigures,
  return: returnFigures,
  steady: steadyFigures,
  'steady-created': steadyCreatedFigures,
  metrics: metricsLiveFigures,
  metricsDay: metricsDayFigures,
  proxmox: proxmoxFigures,
};
/** Measured only when it is named. */
const seldom = new Set(['steady-created']);
const wanted = process.argv.slice(2);
const strange = wanted.filter((name) => !(name in groups));
if (strange.length > 0) {
  console.error(`There is no group ${strange.join(', ')}. Groups: ${Object.keys(groups).join(', ')}.`);
  process.exit(1);
}
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(groups)) {
  if (wanted.length === 0 ? seldom.has(name) : !wanted.includes(name)) continue;
  try {
    figures.push(...(await measure()));
  } catch (error) {
    console.error(`${name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
const report = {
  at: new Date().toISOString(),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  machine: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), bun: Bun.version },
  figures,
};
console.log(JSON.stringify(report, null, 2));
process.exit();
