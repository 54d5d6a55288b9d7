import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

const logMaxBytes = 256 << 10;
const lastWordsBytes = 4096;

/** Empties the log when it grew too long. QEMU appends, so it writes on from the new end. */
export function limitLog(path: string): void {
  try {
    if (statSync(path).size > logMaxBytes) truncateSync(path, 0);
  } catch {
    // There is no log before the first start.
  }
}

/** What QEMU said last, for an error. Costs the same however long the log is. */
export function lastWords(path: string): string {
  try {
    const text = readEnd(path).trim();
    return text.slice(text.lastIndexOf('\n') + 1).slice(0, 300);
  } catch {
    return 'it said nothing';
  }
}

function readEnd(path: string): string {
  const log = openSync(path, 'r');
  try {
    const end = Buffer.alloc(lastWordsBytes);
    const from = Math.max(0, fstatSync(log).size - lastWordsBytes);
    return end.subarray(0, readSync(log, end, 0, lastWordsBytes, from)).toString('utf8');
  } finally {
    closeSync(log);
  }
}
