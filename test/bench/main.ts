import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Service } from '../system/product.ts';
import type { Figure } from './figure.ts';
import { type Report, withFigures } from './page.ts';

/**
 * `npm run bench [-- names…] [--write]`: prints every figure as JSON; `--write` also puts them into docs/benchmarks.md,
 * where the rows of groups that were not measured stay.
 * Nothing here fails a build: a figure that is missed is printed as missed.
 */
process.env['LEBUREAU_TEST_HOME'] ??= existsSync('/var/tmp/lebureau-test/templates')
  ? '/var/tmp/lebureau-test'
  : '/var/lib/lebureau';

// After the variable above is set: the harness reads it when it is loaded.
const { call, startService } = await import('../system/product.ts');
const { idleFigures, mcpFigures } = await import('./serviceFigures.ts');
const { creationFigures, crowdFigures, poolFigures } = await import('./desktopFigures.ts');
const { guestFigures } = await import('./guestFigures.ts');
const { listFigures } = await import('./listFigures.ts');
const { startFigures } = await import('./startFigures.ts');
const { webFigures } = await import('./webFigures.ts');

const onService: Record<string, (service: Service) => Promise<Figure[]>> = {
  idle: idleFigures,
  creation: creationFigures,
  crowd: crowdFigures,
  guest: guestFigures,
  mcp: mcpFigures,
  web: webFigures,
};
const onTheirOwn: Record<string, () => Promise<Figure[]>> = {
  start: startFigures,
  pool: poolFigures,
  list: listFigures,
};
const names = [...Object.keys(onService), ...Object.keys(onTheirOwn)];
const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const strange = wanted.filter((each) => !names.includes(each));
if (strange.length > 0) {
  console.error(`There is no group ${strange.join(', ')}. Groups: ${names.join(', ')}.`);
  process.exit(1);
}
const chosen = (name: string) => wanted.length === 0 || wanted.includes(name);
const figures: Figure[] = [];
let virtualisation = 'virtualisation not asked for';

if (Object.keys(onService).some(chosen)) {
  const service = await startService({ environment: { LEBUREAU_RATE_LIMITS: 'off' } });
  try {
    virtualisation = await virtualisationOf(service);
    for (const [name, measure] of Object.entries(onService))
      if (chosen(name)) figures.push(...(await measured(name, () => measure(service))));
  } finally {
    await service.close();
  }
}
for (const [name, measure] of Object.entries(onTheirOwn))
  if (chosen(name)) figures.push(...(await measured(name, measure)));

const report: Report = {
  at: new Date().toISOString(),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  machine: machine(),
  figures,
};
console.log(JSON.stringify(report, null, 2));
if (process.argv.includes('--write')) {
  const path = join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md');
  writeFileSync(path, withFigures(existsSync(path) ? readFileSync(path, 'utf8') : '# Benchmarks\n', report));
}

/** As the node says it. */
async function virtualisationOf(service: Service): Promise<string> {
  const { body } = await call(service, 'GET', '/v1/nodes');
  const [node] = body.data as { accelerator: string; acceleratorReason: string }[];
  return node === undefined ? 'no node' : `${node.accelerator} (${node.acceleratorReason})`;
}

/** A group that fails is said, and does not take the others' figures with it. */
async function measured(name: string, measure: () => Promise<Figure[]>): Promise<Figure[]> {
  try {
    return await measure();
  } catch (error) {
    console.error(`${name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return [];
  }
}

function machine() {
  const qemu = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
  return {
    cpu: cpus()[0]?.model ?? '',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    bun: Bun.version,
    qemu,
    virtualisation,
  };
}
