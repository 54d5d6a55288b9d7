import { rm, truncate, writeFile } from 'node:fs/promises';
import { runCommand } from './command.ts';

const stepMaxMs = 15 * 60_000;

/** Makes a qcow2 with an ext4 file system of this folder's content, without mounting anything. */
export async function buildDisk(
  tree: string,
  target: string,
  options: { sizeGiB: number; signal: AbortSignal },
): Promise<void> {
  const raw = `${target}.raw`;
  const { signal } = options;
  await writeFile(raw, '');
  await truncate(raw, options.sizeGiB * 2 ** 30);
  const features = ['-t', 'ext4', '-L', 'lebureau', '-m', '1', '-E', 'lazy_itable_init=1,lazy_journal_init=1,discard'];
  await runCommand(['mke2fs', '-q', '-F', ...features, '-d', tree, raw], { signal, timeoutMs: stepMaxMs });
  await runCommand(['qemu-img', 'convert', '-O', 'qcow2', raw, target], { signal, timeoutMs: stepMaxMs });
  await rm(raw);
}
