import { execFileSync } from 'node:child_process';
import { copyFile, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from './package.json' with { type: 'json' };

/** `bun sdk-ts/build.ts` makes dist/, the package as it is published: ES modules with their types. `npm pack ./sdk-ts/dist` packs it. */

const folder = import.meta.dirname;
const dist = join(folder, 'dist');
const tsc = join(folder, '..', 'node_modules', '.bin', 'tsc');

await rm(dist, { recursive: true, force: true });
execFileSync(process.execPath, ['--bun', tsc, '-p', join(folder, 'tsconfig.build.json')], { stdio: 'inherit' });

// Declarations name the sources that they were made from; those are not published.
for (const name of await readdir(dist, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const path = join(dist, name);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replaceAll(/(from\s+|import\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2'));
}

const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
const { name, version, type, license, dependencies } = packageJson;
const published = {
  name,
  version,
  description: 'Full Linux desktops for AI agents: the TypeScript client of Le Bureau',
  type,
  license,
  engines: { node: '>=20' },
  sideEffects: false,
  exports: {
    '.': entry('client'),
    './errors': entry('generated/errorClasses'),
    './testing': entry('testing/fake'),
    './agents/*': entry('agents/*'),
    './*': entry('*'),
  },
  dependencies,
};
await writeFile(join(dist, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
await copyFile(join(folder, 'LICENSE'), join(dist, 'LICENSE'));
await copyFile(join(folder, '..', 'docs', 'sdk.md'), join(dist, 'README.md'));
