import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { afterAll } from 'vitest';

/**
 * What a driver holds for clones to come ends with its process. Here all test files are threads of one process, which would
 * hold the RAM of every driver that was ever opened: twenty GiB at the end of a whole run.
 */
afterAll(() => {
  for (const fd of readdirSync('/proc/self/fd'))
    if (nameOf(fd).startsWith(`/memfd:lebureau-ram-${threadId} `)) closeSync(Number(fd));
});

function nameOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor of the listing itself.
    return '';
  }
}
