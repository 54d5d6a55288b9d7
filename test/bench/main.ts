import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Service } from '../system/product.ts';
import type { Figure } from './figure.ts';

/**
 * `npm run bench [-- names…] [--write]`: prints every figure as JSON; `--write` also puts them into docs/benchmarks.md.
 * Nothing here fails a build: a figure that is missed is printed as missed.
 */
process.env['LEBUREAU_TEST_HOME'] ??= existsSync('/var/tmp/lebureau-test/templates')
  ? '/var/tmp/lebureau-test'
  : '/var/lib/lebureau';

// After the variable above is set: the harness reads it when it is loaded.
const { startService } = await import('../system/product.ts');
const { idleFigures, mcpFigures } = await import('./serviceFigures.ts');
const { creationFigures, crowdFigures } = await import('./desktopFigures.ts');
const { guestFigures } = await import('./guestFigures.ts');
const { listFigures } = await import('./listFigures.ts');

const groups: Record<string, (service: Service) => Promise<Figure[]>> = {
  idle: idleFigures,
  creation: creationFigures,
  crowd: crowdFigures,
  guest: guestFigures,
  mcp: mcpFigures,
};
const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const chosen = (name: string) => wanted.length === 0 || wanted.includes(name);
const figures: Figure[] = [];

if (Object.keys(groups).some(chosen)) {
  const service = await startService({ environment: { LEBUREAU_RATE_LIMITS: 'off' } });
  try {
    for (const [name, measure] of Object.entries(groups))
      if (chosen(name)) figures.push(...(await measured(name, () => measure(service))));
  } finally {
    await service.close();
  }
}
if (chosen('list')) figures.push(...(await measured('list', listFigures)));

const report = {
  at: new Date().toISOString(),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  machine: machine(),
  figures,
};
console.log(JSON.stringify(report, null, 2));
if (process.argv.includes('--write')) writePage();

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
    virtualisation: 'none (TCG)',
  };
}

function writePage(): void {
  const path = join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md');
  const rows = figures.map(
    (each) =>
      `| ${each.what} | ${each.value} ${each.unit} | ${each.reach.at === '<=' ? '≤' : '≥'} ${each.reach.value} ${each.unit} | ${each.met ? 'met' : '**missed**'} |`,
  );
  const table = ['| what | measured | to reach | |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const block = `<!-- figures -->\n\nMeasured ${report.at.slice(0, 10)} at \`${report.commit}\` on ${report.machine.cores} cores, ${report.machine.memoryGiB} GiB, ${report.machine.qemu}, no hardware virtualisation, Bun ${report.machine.bun}.\n\n${table}\n\n<!-- /figures -->`;
  const page = existsSync(path) ? readFileSync(path, 'utf8') : '# Benchmarks\n\n<!-- figures --><!-- /figures -->\n';
  writeFileSync(
    path,
    page.replace(/<!-- figures -->[^]*<!-- \/figures -->/, () => block),
  );
}
