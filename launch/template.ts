import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openProgressBar } from './progressBar.ts';

export interface TemplateWish {
  home: string;
  cacheDir: string;
  out: NodeJS.WriteStream;
  signal?: AbortSignal;
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
 * @throws Error with the builder's sentence.
 */
export async function ensureTemplate(wish: TemplateWish): Promise<void> {
  const script = join(import.meta.dir, '..', 'hostd', 'template', 'main.ts');
  const args = [script, '--home', wish.home, '--cache', wish.cacheDir, '--size', '1x1024', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal: wish.signal });
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
  bar.end();
  if (code !== 0) throw new Error(lastError || `The template could not be built:\n${complaint.trim()}`);
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
