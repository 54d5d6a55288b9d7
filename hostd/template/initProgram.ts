import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { initFolder } from './recipe.ts';

/** Builds the resident init program: static, so that it runs in every guest and starts fast. */
export async function buildInitProgram(target: string, signal: AbortSignal): Promise<void> {
  const sources = readdirSync(initFolder)
    .filter((name) => name.endsWith('.c'))
    .toSorted();
  // The kernel's own headers are not part of musl; `-idirafter` keeps glibc's from getting in front.
  const headers = ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'];
  const flags = ['-std=gnu11', '-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror'];
  const files = sources.map((name) => join(initFolder, name));
  await runCommand(['musl-gcc', ...flags, ...headers, '-o', target, ...files], { signal, timeoutMs: 120_000 });
}
