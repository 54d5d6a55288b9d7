import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Builds the pages of the dashboard, when they are not there or their sources changed. @throws Error with the output */
export function ensureWeb(root: string): void {
  const folder = join(root, 'dashboard');
  const stamp = join(folder, 'dist', 'built-from');
  const wanted = hashOfSources(folder);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const vite = join(folder, 'node_modules', '.bin', 'vite');
  const run = spawnSync(process.execPath, ['--bun', vite, 'build', '--logLevel', 'warn'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`The pages of the dashboard cannot be built:\n${run.stdout}\n${run.stderr}`);
  writeFileSync(stamp, wanted);
}

function hashOfSources(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(join(folder, 'web'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  for (const path of [...files, join(folder, 'package.json'), join(folder, 'vite.config.ts')])
    hash.update(`${path.slice(folder.length)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}
