import { chmod, chown, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';

/**
 * Takes a folder back from a QEMU that has ended. Until then QEMU's user decides what the names in it mean, so nothing
 * may be opened or changed by name; afterwards each of `names` is a plain file that is reachable by this name only.
 * @throws Fault `needs_operator` when one is a link, or anything but a file.
 */
export async function takeBack(folder: string, names: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0) await chown(folder, 0, 0);
  await chmod(folder, 0o755);
  for (const name of names) {
    const entry = await lstat(join(folder, name));
    if (!entry.isFile() || entry.nlink !== 1) {
      throw new Fault('needs_operator', `QEMU left something else than a file as ${name}: the warm state is not kept`);
    }
  }
}
