import { stat } from 'node:fs/promises';
import { isFileMissing } from '../../home.ts';
import { vmPaths, vmRefsIn } from './files.ts';

/** What a file counts its room in, whatever the file system's own blocks are (`stat.st_blocks`). */
const blockBytes = 512;

/** What the disk of each VM of this home takes by now; an overlay grows as it is written. */
export async function diskHeldMiB(home: string): Promise<Record<string, number>> {
  const held: Record<string, number> = {};
  for (const vmRef of vmRefsIn(home)) {
    try {
      const { blocks } = await stat(vmPaths(home, vmRef).disk);
      held[vmRef] = Math.floor((blocks * blockBytes) / 2 ** 20);
    } catch (error) {
      if (!isFileMissing(error)) throw error;
    }
  }
  return held;
}
