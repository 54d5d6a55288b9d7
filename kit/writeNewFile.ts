import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from './syncFolder.ts';

/**
 * A file of mode 600 that was not there, durable when this returns. It appears whole: neither another program nor a start
 * after a power cut finds half of it. Of several that make it at once one does.
 * @throws Error with the code `EEXIST` when it is there
 */
export function writeNewFile(path: string, content: string | Uint8Array): void {
  const draft = `${path}.${randomUUID()}.new`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
    linkSync(draft, path);
  } finally {
    closeSync(file);
    rmSync(draft);
  }
  syncFolder(dirname(path));
}
