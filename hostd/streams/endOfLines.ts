import { readSync } from 'node:fs';

const blockBytes = 4096;
const newline = 10;

/** Where the last whole line ends before `beforeByte`, read from there backwards; 0: there is none. */
export function endOfLines(file: number, beforeByte: number): number {
  const block = Buffer.alloc(blockBytes);
  for (let end = beforeByte; end > 0; end -= blockBytes) {
    const start = Math.max(0, end - blockBytes);
    const read = readSync(file, block, 0, end - start, start);
    const at = block.subarray(0, read).lastIndexOf(newline);
    if (at >= 0) return start + at + 1;
  }
  return 0;
}
