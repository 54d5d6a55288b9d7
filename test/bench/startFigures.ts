import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../freePort.ts';
import { npmStart, untilRunning } from '../system/npmStart.ts';
import { templateHome } from '../system/product.ts';
import { type Figure, figure, summary } from './figure.ts';

const root = join(import.meta.dirname, '..', '..');
const starts = 4;

/** From `npm start` until the way in is printed, with everything fetched, built and started once before. */
export async function startFigures(): Promise<Figure[]> {
  const home = mkdtempSync('/var/tmp/lb-bench-start-');
  chmodSync(home, 0o711);
  if (templateHome !== undefined && existsSync(templateHome))
    symlinkSync(join(templateHome, 'templates'), join(home, 'templates'));
  const ports = { LEBUREAU_PORT: String(await freePort()), LEBUREAU_MCP_PORT: String(await freePort()) };
  const seconds: number[] = [];
  try {
    for (let at = 0; at < starts; at++) seconds.push(await timeStart({ LEBUREAU_HOME: home, ...ports }));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const [first, ...later] = seconds;
  return [
    figure('second npm start, until the way in is printed, slowest of 3', 's', {
      value: Math.max(...later),
      at: '<=',
      reach: 3,
      detail: { ...summary(later), firstOnThisHome: first },
    }),
  ];
}

async function timeStart(environment: Record<string, string>): Promise<number> {
  const beganMs = performance.now();
  const run = npmStart(root, environment);
  try {
    await untilRunning(run);
    const seconds = (performance.now() - beganMs) / 1000;
    await run.interrupt();
    return seconds;
  } finally {
    run.kill();
  }
}
