import { closeSync, fsyncSync, openSync } from 'node:fs';

/** The names in it are on the disk from then on. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
