import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import type { Figure } from './figure.ts';

/** `npm run bench:streams [-- names…]`: prints every figure of live streams as JSON. A figure that is missed is printed as missed. */

const [word, socket = '', ...ports] = process.argv.slice(2);
if (word === '--node') {
  const { runStreamNode } = await import('../fleet/streamNode.ts');
  const [port = 0, display = 0, listenPort = 0] = ports.map(Number);
  runStreamNode({ socket, port, display, listenPort });
} else {
  await measure(process.argv.slice(2));
  process.exit();
}

async function measure(wanted: readonly string[]): Promise<void> {
  const { openStreamBench } = await import('../fleet/streamBench.ts');
  const figuresOf = await import('../fleet/streamFigures.ts');
  const groups: Record<string, (bench: Awaited<ReturnType<typeof openStreamBench>>) => Promise<Figure[]>> = {
    idle: figuresOf.idleFigures,
    stall: figuresOf.stallFigures,
    latency: figuresOf.latencyFigures,
    throughput: figuresOf.throughputFigures,
  };
  const strange = wanted.filter((name) => !(name in groups));
  if (strange.length > 0) {
    console.error(`There is no group ${strange.join(', ')}. Groups: ${Object.keys(groups).join(', ')}.`);
    process.exit(1);
  }
  const figures: Figure[] = [];
  for (const [name, group] of Object.entries(groups)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    // Each on processes of its own: memory that one group used would hide what the next needs.
    const bench = await openStreamBench(import.meta.filename);
    try {
      figures.push(...(await group(bench)));
    } catch (error) {
      console.error(`${name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    } finally {
      await bench.close();
    }
  }
  const report = {
    at: new Date().toISOString(),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), bun: Bun.version },
    figures,
  };
  console.log(JSON.stringify(report, null, 2));
}
