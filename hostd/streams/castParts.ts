import { closeSync, openSync, readSync } from 'node:fs';

/** One recording as it was taken on one node: asciicast v2. */
export interface CastPart {
  /** Seconds since 1970. */
  beganAt: number;
  read: () => Promise<string>;
}

/** The first line of a recording. */
export interface CastHeader {
  width: number;
  height: number;
  /** Seconds since 1970. */
  timestamp: number;
}

/** More than a first line of ours has. */
const headerMaxBytes = 4096;

/** Reads the beginning only. Undefined for what is no asciicast v2. */
export function readCastHeader(path: string): CastHeader | undefined {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(headerMaxBytes);
    return castHeaderOf(start.toString('utf8', 0, readSync(file, start)));
  } finally {
    closeSync(file);
  }
}

function castHeaderOf(text: string): CastHeader | undefined {
  const end = text.indexOf('\n');
  try {
    const header = JSON.parse(end < 0 ? text : text.slice(0, end)) as Partial<CastHeader> & { version?: unknown };
    const { version, timestamp, width = 80, height = 24 } = header;
    return version === 2 && typeof timestamp === 'number' ? { width, height, timestamp } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Several recordings of one terminal, which went from node to node, as one: the header and time are those of the first,
 * and each later one begins with its size. Each is read when its turn comes, so that no more than one is in memory.
 */
export async function* joinCasts(parts: readonly CastPart[]): AsyncGenerator<string> {
  const [first, ...later] = parts.toSorted((a, b) => a.beganAt - b.beganAt);
  if (first === undefined) return;
  yield whole(await first.read());
  for (const { beganAt, read } of later) {
    const text = await read();
    const header = castHeaderOf(text);
    if (header === undefined) continue;
    const lateBy = beganAt - first.beganAt;
    const events = whole(text.slice(text.indexOf('\n') + 1));
    const shifted = events.replaceAll(
      /^\[(\d+(?:\.\d+)?),/gm,
      (_, seconds: string) => `[${Math.round((Number(seconds) + lateBy) * 1000) / 1000},`,
    );
    yield `[${lateBy},"r","${header.width}x${header.height}"]\n${shifted}`;
  }
}

/** Without a last line that a crash cut off. */
function whole(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}
