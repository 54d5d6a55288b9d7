import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureWeb } from './web.ts';

interface Step {
  name: string;
  command: string[];
}

const root = join(import.meta.dir, '..');
const bin = (name: string) => join(root, 'node_modules', '.bin', name);
const bun = process.execPath;

/** The fast half of the tests: no VM, no network, at most a minute. */
const steps: Step[] = [
  { name: 'unit tests', command: [bun, '--bun', bin('vitest'), 'run', '--reporter=default', ...jsonReport()] },
  { name: 'types', command: [bun, '--bun', bin('tsc'), '-p', '.'] },
  { name: 'types of the pages', command: [bun, '--bun', bin('tsc'), '-p', 'dashboard/web'] },
  { name: 'lint', command: [bun, '--bun', bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'format', command: [bun, '--bun', bin('oxfmt'), '--check'] },
  { name: 'unused code', command: [bun, '--bun', bin('knip'), '--no-progress'] },
  { name: 'contract drift', command: [bun, join(root, 'launch/generate.ts'), '--check'] },
];

function jsonReport(): string[] {
  const path = process.env['LEBUREAU_UNIT_REPORT'];
  return path === undefined ? [] : ['--reporter=json', `--outputFile.json=${path}`];
}

const startedMs = Date.now();
ensureWeb(root);
const queue = [...steps];
const failed: string[] = [];
await Promise.all([worker(), worker()]);
const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
if (failed.length > 0) {
  console.error(`check failed after ${seconds} s: ${failed.join(', ')}`);
  process.exit(1);
}
console.log(`check passed in ${seconds} s`);

async function worker(): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const { code, output, ms } = await run(step.command);
    if (code !== 0) failed.push(step.name);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${(ms / 1000).toFixed(1)} s)`);
    if (code !== 0) console.log(output.split('\n').slice(-120).join('\n'));
  }
}

function run(command: string[]): Promise<{ code: number; output: string; ms: number }> {
  const beganMs = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-200_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('close', (code) => resolve({ code: code ?? 1, output, ms: Date.now() - beganMs }));
  });
}
