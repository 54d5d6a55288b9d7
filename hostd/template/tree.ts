import { copyFile, cp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isolated, runCommand } from './command.ts';
import { buildInitProgram } from './initProgram.ts';
import { keepDownloads, openPackageCache } from './packageCache.ts';
import type { ProgressMeter } from './progress.ts';
import type { Recipe } from './recipe.ts';
import { suites } from './suites.ts';

const installMaxMs = 60 * 60_000;
const customizeMaxMs = 15 * 60_000;
const leftOut = [
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/doc/*',
  '/usr/share/locale/*',
  '/usr/share/help/*',
];
const kept = ['/usr/share/doc/*/copyright', '/usr/share/locale/locale.alias'];

export interface TreeOptions {
  recipe: Recipe;
  /** Made; holds the root file system in the end. */
  tree: string;
  /** Downloaded packages, kept between builds. */
  packageCache: string;
  keyring: string;
  meter: ProgressMeter;
  signal: AbortSignal;
}

export async function buildTree(options: TreeOptions): Promise<void> {
  await installPackages(options);
  options.meter.enter('configuring');
  const { recipe, tree, signal } = options;
  await cp(recipe.rootfs, tree, { recursive: true, verbatimSymlinks: true });
  await buildInitProgram(join(tree, 'usr/lib/lebureau/init'), signal);
  await copyFile(recipe.customize, join(tree, 'tmp/customize.sh'));
  const script =
    'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/sh /tmp/customize.sh';
  await runCommand(isolated(['sh', '-c', script, 'sh', tree]), { signal, timeoutMs: customizeMaxMs });
  await rm(join(tree, 'etc/resolv.conf'), { force: true });
  await symlink('../run/systemd/resolve/resolv.conf', join(tree, 'etc/resolv.conf'));
}

async function installPackages(options: TreeOptions): Promise<void> {
  const { recipe, tree, packageCache, keyring, meter, signal } = options;
  const suite = suites[recipe.suite];
  await openPackageCache(packageCache);
  meter.enter('downloading');
  const watch = watchApt(meter);
  const argv = [
    'mmdebstrap',
    ...['--mode=root', '--variant=minbase', '--format=directory', '--verbose'],
    `--components=${suite.components}`,
    `--keyring=${keyring}`,
    `--include=${recipe.packages.join(',')}`,
    ...['APT::Install-Recommends "false"', 'Acquire::Languages "none"', 'Acquire::Retries "5"'].map(
      (each) => `--aptopt=${each}`,
    ),
    ...leftOut.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...kept.map((path) => `--dpkgopt=path-include=${path}`),
    '--dpkgopt=force-unsafe-io',
    '--skip=essential/unlink',
    '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
    `--setup-hook=sync-in ${quoted(packageCache)} /var/cache/apt/archives/`,
    `--customize-hook=sync-out /var/cache/apt/archives ${quoted(packageCache)}`,
    ...[recipe.suite, tree, ...suite.sources],
  ];
  try {
    await runCommand(isolated(argv), { signal, timeoutMs: installMaxMs, onLine: watch });
  } catch (error) {
    await keepDownloads(tree, packageCache);
    throw error;
  }
  await rm(join(packageCache, 'lock'), { force: true });
}

/**
 * Reads apt's and dpkg's output. mmdebstrap runs apt twice: for the essential packages, then for all the others; only
 * the second is long enough to be called installing.
 */
export function watchApt(meter: Pick<ProgressMeter, 'enter' | 'tell'>): (line: string) => void {
  let round = 0;
  let packages = 0;
  let steps = 0;
  let doneMiB = 0;
  let totalMiB = 0;
  return (line) => {
    const found = /(\d+) newly installed/.exec(line);
    if (found) {
      round += 1;
      packages = Number(found[1]);
      steps = 0;
    }
    const need = /^Need to get ([\d.,]+) (\w+)(?:\/| of)/.exec(line);
    if (need) totalMiB += inMiB(need[1]!, need[2]!);
    const fetched = /^Get:\d+ .*\[([\d.,]+) (\w+)\]$/.exec(line);
    if (fetched && round > 0) {
      doneMiB += inMiB(fetched[1]!, fetched[2]!);
      meter.tell(doneMiB / Math.max(totalMiB, 1), { doneMiB: Math.round(doneMiB), totalMiB: Math.round(totalMiB) });
    }
    if (round < 2 || !/^(Unpacking|Setting up) /.test(line)) return;
    if (steps === 0) meter.enter('installing');
    steps += 1;
    meter.tell(steps / (2 * Math.max(packages, 1)));
  };
}

function inMiB(number: string, unit: string): number {
  const bytes = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? 1;
  return (Number(number.replaceAll(',', '')) * bytes) / 2 ** 20;
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
