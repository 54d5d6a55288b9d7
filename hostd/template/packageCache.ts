import { copyFile, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes the folder of downloaded packages ready for use. */
export async function openPackageCache(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await forgetHalfDownloads(folder);
}

/** An interrupted copy may have left an empty file that apt would take for the package. */
async function forgetHalfDownloads(folder: string): Promise<void> {
  await rm(join(folder, 'partial'), { recursive: true, force: true });
  for (const name of await readdir(folder)) {
    if (name.endsWith('.new') || (name.endsWith('.deb') && (await stat(join(folder, name))).size === 0))
      await rm(join(folder, name));
  }
  await writeFile(join(folder, 'CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n');
}

/**
 * What apt has downloaded whole into a root file system that is given up; it lets nothing into this folder before its
 * checksum was right, and what is half there lies in another.
 */
export async function keepDownloads(tree: string, folder: string): Promise<void> {
  const archives = join(tree, 'var', 'cache', 'apt', 'archives');
  const known = new Set(await readdir(folder));
  for (const name of await readdir(archives).catch((): string[] => [])) {
    if (!name.endsWith('.deb') || known.has(name)) continue;
    await copyFile(join(archives, name), join(folder, `${name}.new`));
    await rename(join(folder, `${name}.new`), join(folder, name));
  }
}
