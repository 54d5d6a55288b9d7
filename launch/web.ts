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
  for (const command of [['--bun', vite, 'build', '--logLevel', 'warn'], ['buildDocs.ts'], ['buildReference.ts']]) {
    const run = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`The pages of the dashboard cannot be built:\n${run.stdout}\n${run.stderr}`);
  }
  writeFileSync(stamp, wanted);
}

/** Of the pages, and of the documents that become pages. */
function hashOfSources(folder: string): string {
  const hash = createHash('sha256');
  const project = join(folder, '..');
  const files = ['dashboard/web', 'dashboard/site', 'dashboard/docs', 'docs']
    .flatMap((each) => readdirSync(join(project, each), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  const others = [
    'package.json',
    'vite.config.ts',
    'buildDocs.ts',
    'buildReference.ts',
    '../ARCHITECTURE.md',
    '../SECURITY.md',
    '../openapi/public.json',
  ].map((each) => join(folder, each));
  for (const path of [...files, ...others]) hash.update(`${path.slice(project.length)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}
