import { closeSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { Fault } from '@lebureau/kit/fault';
import { copyBytes, createMemoryFile, nextData, sealMemoryFile } from './native.ts';

/** One piece keeps the event loop for about 10 ms. */
const pieceBytes = 16 << 20;

/**
 * A sealed copy of a warm state's RAM in memory. QEMU 7.2 opens a RAM file read-write even to map it privately, so
 * a plain file would let one broken-out QEMU poison every later clone; this can only be read. Holes stay holes.
 * @returns a descriptor that closes on exec and is given to each clone; its name says which thread made it
 */
export async function sealedCopy(path: string): Promise<number> {
  const from = openSync(path, 'r');
  let to: number | undefined;
  try {
    const size = statSync(path).size;
    to = createMemoryFile(`lebureau-ram-${threadId}`);
    ftruncateSync(to, size);
    let offset = 0;
    for (let data = nextData(from, 0); data && offset < size; data = nextData(from, offset)) {
      offset = await copyStretch(from, to, data);
    }
    sealMemoryFile(to);
    return to;
  } catch (error) {
    if (to !== undefined) closeSync(to);
    throw error;
  } finally {
    closeSync(from);
  }
}

async function copyStretch(from: number, to: number, data: { start: number; end: number }): Promise<number> {
  let at = data.start;
  while (at < data.end) {
    const copied = copyBytes(from, to, { start: at, length: Math.min(pieceBytes, data.end - at) });
    if (copied <= 0) throw new Fault('memory_full', 'the memory of a warm state could not be loaded');
    at += copied;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return at;
}
