import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Suite } from './config.ts';
import { openProgressBar } from './progressBar.ts';

export interface TemplateWish {
  home: string;
  cacheDir: string;
  suite?: Suite;
  out: NodeJS.WriteStream;
  signal?: AbortSignal;
  /** In the place of the builder, for tests. */
  command?: [string, ...string[]];
}

interface BuildEvent {
  stage?: string;
  fraction?: number;
  doneMiB?: number;
  totalMiB?: number;
  secondsLeft?: number;
  error?: string;
}

/**
 * Builds the template and its warm state of size `nano` where they are missing; a second call costs a look.
 * @throws Error with the builder's sentence, or that it was stopped; the builder has ended and cleaned up by then.
 */
export async function ensureTemplate(wish: TemplateWish): Promise<void> {
  const [program, ...args] = wish.command ?? builderCommand(wish);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => child.kill('SIGTERM');
  wish.signal?.addEventListener('abort', stop, { once: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('close', (code) => resolve(code ?? 1));
    child.on('error', reject);
  });
  let complaint = '';
  let lastError = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4000)));
  const bar = openProgressBar(wish.out);
  for await (const line of createInterface({ input: child.stdout })) {
    const event = parse(line);
    if (event?.error !== undefined) lastError = event.error;
    if (event?.stage !== undefined) bar.show({ stage: event.stage, fraction: event.fraction, detail: detailOf(event) });
  }
  const code = await ended;
  wish.signal?.removeEventListener('abort', stop);
  bar.end();
  if (wish.signal?.aborted) throw new Error('Stopped. Nothing half-made is left; downloaded packages are kept.');
  if (code !== 0) throw new Error(lastError || `The template could not be built:\n${complaint.trim()}`);
}

function builderCommand(wish: TemplateWish): [string, ...string[]] {
  const script = join(import.meta.dir, '..', 'hostd', 'template', 'main.ts');
  const suite = wish.suite === undefined ? [] : ['--suite', wish.suite];
  return [
    process.execPath,
    script,
    '--home',
    wish.home,
    '--cache',
    wish.cacheDir,
    ...suite,
    '--size',
    '1x1024',
    '--json',
  ];
}

function parse(line: string): BuildEvent | undefined {
  try {
    return JSON.parse(line) as BuildEvent;
  } catch {
    return undefined;
  }
}

function detailOf(event: BuildEvent): string {
  const parts: string[] = [];
  if (event.doneMiB !== undefined)
    parts.push(event.totalMiB === undefined ? `${event.doneMiB} MB` : `${event.doneMiB} of ${event.totalMiB} MB`);
  if (event.secondsLeft !== undefined)
    parts.push(
      `about ${event.secondsLeft >= 90 ? `${Math.round(event.secondsLeft / 60)} min` : `${Math.round(event.secondsLeft)} s`} left`,
    );
  return parts.join(', ');
}
