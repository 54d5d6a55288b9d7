import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { suites, type SuiteName } from './suites.ts';

/** Raise it when the builder itself makes something else from the same recipe files. */
const builderVersion = 2;
const recipeFolder = join(import.meta.dirname, 'recipe');
export const initFolder = join(import.meta.dirname, 'init');
const crockford = '0123456789abcdefghjkmnpqrstvwxyz';

/** All that decides what a template holds, besides the packages' own versions. */
export interface Recipe {
  suite: SuiteName;
  packages: readonly string[];
  /** Copied over the root file system as it is. */
  rootfs: string;
  /** Runs in the new root file system. */
  customize: string;
  /** SHA-256 of suite, package names and every file, hexadecimal. */
  hash: string;
  /** `tpl_` and the first 128 bits of the hash. */
  templateId: string;
  kernelArgs: string;
  diskVirtualGiB: number;
}

/**
 * The address is fixed because user-mode networking gives 10.0.2.15 to the first client only, and a clone changes its MAC:
 * asked again, it would hand out another address, which no forward points to.
 */
const kernelArgs = [
  'root=/dev/vda rootfstype=ext4 rw quiet loglevel=3 vt.global_cursor_default=0 net.ifnames=0',
  'lebureau.network=fixed ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:none:10.0.2.3',
  // The driver's network is IPv4 only. Nothing in the guest has a profile for the security modules that are left out.
  'ipv6.disable=1 systemd.hostname=lebureau lsm=lockdown,capability,landlock,yama,bpf',
  'nmi_watchdog=0 nowatchdog audit=0 systemd.show_status=0 rd.systemd.show_status=0 noresume',
].join(' ');

export function readRecipe(suite: SuiteName, folder: string = recipeFolder): Recipe {
  const packagesPath = join(folder, `packages.${suite}.txt`);
  const packages = readFileSync(packagesPath, 'utf8')
    .split(/\s+/)
    .filter((name) => name !== '');
  const rootfs = join(folder, 'rootfs');
  const customize = join(folder, 'customize.sh');
  const hash = createHash('sha256');
  const add = (label: string, content: string | Buffer) => hash.update(`${label}\0${content.length}\0`).update(content);
  const diskVirtualGiB = 8;
  add('head', JSON.stringify([builderVersion, suite, suites[suite], packages, kernelArgs, diskVirtualGiB]));
  for (const path of [...filesBelow(rootfs), customize]) add(relative(folder, path), readFileSync(path));
  for (const path of filesBelow(initFolder))
    if (isInitSource(path)) add(relative(initFolder, path), readFileSync(path));
  const digest = hash.digest();
  return {
    suite,
    packages,
    rootfs,
    customize,
    hash: digest.toString('hex'),
    templateId: templateIdOf(digest),
    kernelArgs,
    diskVirtualGiB,
  };
}

export function isInitSource(path: string): boolean {
  return path.endsWith('.c') || path.endsWith('.h');
}

/** Files only, sorted by path, so that the order of a directory listing does not matter. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function templateIdOf(digest: Buffer): string {
  let value = BigInt(`0x${digest.subarray(0, 16).toString('hex')}`);
  let text = '';
  for (let i = 0; i < 26; i++) {
    text = crockford[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return `tpl_${text}`;
}
