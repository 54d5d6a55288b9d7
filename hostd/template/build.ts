import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { syncFolder } from '../hypervisor/qemu/files.ts';
import { chooseSuite, leftovers, readTemplateFile, templateDamage, type SuiteWish } from './chooseSuite.ts';
import { buildDisk } from './disk.ts';
import { templatePaths, type TemplateFile, type TemplatePaths } from './files.ts';
import { kernelRelease, unpackKernel } from './kernel.ts';
import { keyringOf } from './keyring.ts';
import { takeLock } from './lock.ts';
import { ProgressMeter, type ProgressListener } from './progress.ts';
import { readRecipe, type Recipe } from './recipe.ts';
import { suites } from './suites.ts';
import { buildTree } from './tree.ts';

export interface BuildOptions {
  /** Templates go below `<home>/templates`. */
  home: string;
  /** Downloaded packages are kept here, so that a second build needs little of the network. */
  cacheDir: string;
  suite?: SuiteWish;
  onProgress?: ProgressListener;
  signal?: AbortSignal;
  clock?: Clock;
}

/** Tree, raw image and qcow2 side by side, and the cache of packages. */
const roomMiB = 6 * 1024;

const stages = [
  { name: 'downloading', share: 40 },
  { name: 'installing', share: 110 },
  { name: 'configuring', share: 20 },
  { name: 'making the disk', share: 25 },
] as const;

/**
 * Makes the template of this recipe unless it is there already. Needs root. An interrupted build leaves nothing but
 * downloaded packages; the template appears under its id when it is whole.
 * @throws Fault `needs_operator`, `disk_full` or `wrong_state` with a sentence for the operator.
 */
export async function buildTemplate(options: BuildOptions): Promise<TemplateFile> {
  const signal = options.signal ?? new AbortController().signal;
  const suite = await chooseSuite(options.home, options.suite, { signal });
  const recipe = readRecipe(suite);
  const present = await readTemplateFile(options.home, recipe.templateId);
  if (present) return present;
  const paths = templatePaths(options.home, recipe.templateId);
  await refuseDamaged(options.home, recipe.templateId);
  await mkdir(paths.templates, { recursive: true, mode: 0o755 });
  await requireRights(paths.templates);
  const release = takeLock(join(paths.templates, '.lock'));
  try {
    for (const left of await leftovers(paths.templates)) await rm(left, { recursive: true, force: true });
    await mkdir(paths.making, { mode: 0o755 });
    return await make({ recipe, paths, signal, options });
  } finally {
    await rm(paths.making, { recursive: true, force: true });
    release();
  }
}

/** A folder in its place would stop the build at its very end; and desktops may still stand on what is left of it. */
async function refuseDamaged(home: string, templateId: string): Promise<void> {
  const { folder } = templatePaths(home, templateId);
  if (!existsSync(folder)) return;
  const damage = await templateDamage(home, templateId);
  throw new Fault(
    'needs_operator',
    `the template in ${folder} is broken: ${damage}. Restore it from a backup if desktops were made of it; else remove the folder and run this again, which builds it anew`,
  );
}

interface Making {
  recipe: Recipe;
  paths: TemplatePaths;
  signal: AbortSignal;
  options: BuildOptions;
}

async function make({ recipe, paths, signal, options }: Making): Promise<TemplateFile> {
  const clock = options.clock ?? systemClock;
  const meter = new ProgressMeter(stages, clock, options.onProgress ?? (() => {}));
  const tree = join(paths.making, 'tree');
  const result = join(paths.making, 'template');
  await mkdir(result, { mode: 0o755 });
  const keyring = await keyringOf(recipe.suite, options.cacheDir, signal);
  const packageCache = join(options.cacheDir, `packages-${recipe.suite}`);
  await buildTree({ recipe, tree, packageCache, keyring, meter, signal });
  meter.enter('making the disk');
  const release = await kernelRelease(tree);
  await copyFile(join(tree, 'boot', `vmlinuz-${release}`), join(result, 'vmlinuz'));
  await unpackKernel(join(result, 'vmlinuz'), join(result, 'vmlinux'), signal);
  await copyFile(join(tree, 'boot', `initrd.img-${release}`), join(result, 'initrd'));
  await removeBootFiles(join(tree, 'boot'));
  meter.tell(0.2);
  await buildDisk(tree, join(result, 'disk.qcow2'), { sizeGiB: recipe.diskVirtualGiB, signal });
  if (readRecipe(recipe.suite).templateId !== recipe.templateId) {
    throw new Fault('wrong_state', 'the recipe changed while it was being built; build again');
  }
  const file = describe(recipe, release, clock.nowMs());
  await writeFile(join(result, 'template.json'), `${JSON.stringify(file, undefined, 2)}\n`);
  for (const name of await readdir(result)) await chmod(join(result, name), 0o444);
  await mkdir(join(result, 'warm'), { mode: 0o755 });
  await chmod(result, 0o755);
  await syncFolder(result);
  await rename(result, paths.folder);
  await syncFolder(paths.templates);
  meter.tell(1);
  return file;
}

function describe(recipe: Recipe, release: string, nowMs: number): TemplateFile {
  const { name, untested } = suites[recipe.suite];
  return {
    version: 1,
    id: recipe.templateId,
    name,
    suite: recipe.suite,
    untested,
    recipeHash: recipe.hash,
    builtAtMs: nowMs,
    diskVirtualGiB: recipe.diskVirtualGiB,
    kernelArgs: recipe.kernelArgs,
    kernelRelease: release,
    guestUser: 'agent',
  };
}

/** The kernel and its initrd are started from outside; in the disk they would only take room. */
async function removeBootFiles(boot: string): Promise<void> {
  for (const name of await readdir(boot)) await rm(join(boot, name), { recursive: true, force: true });
}

async function requireRights(templates: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Fault(
      'needs_operator',
      'building a template needs root: run it with sudo, or copy a templates folder from another machine',
    );
  }
  const room = await statfs(templates);
  const freeMiB = (room.bavail * room.bsize) / 2 ** 20;
  if (freeMiB < roomMiB) {
    throw new Fault(
      'disk_full',
      `building a template needs ${roomMiB} MiB below ${templates}, and ${Math.floor(freeMiB)} MiB are free: make room, or name another folder in LEBUREAU_HOME`,
    );
  }
}
