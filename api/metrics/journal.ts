import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Sample, type Values, measures } from './point.ts';

/** What one node told of one desktop. */
export interface ToldSample extends Sample {
  desktopId: string;
}

/**
 * A report lies in the database as it came, until it is rolled up, in parts of about so many desktops: who looks at one
 * desktop reads its part only.
 */
const partDesktops = 32;
const partsMax = 256;

/** How many parts a node with so many desktops has: a power of two. */
export function partsFor(desktops: number): number {
  let parts = 1;
  while (parts < partsMax && desktops > parts * partDesktops) parts *= 2;
  return parts;
}

/** The number of a desktop's part among `parts`, told apart from those of any other count. */
export function partOf(desktopId: string, parts: number): number {
  return parts * 1000 + (hashOf(desktopId) % parts);
}

/** Wherever this desktop may be, as the number of parts changes with the number of desktops. */
export function partsOf(desktopId: string): number[] {
  const all: number[] = [];
  for (let parts = 1; parts <= partsMax; parts *= 2) all.push(partOf(desktopId, parts));
  return all;
}

/** FNV-1a; the ends of ids are random. */
function hashOf(text: string): number {
  let hash = 2_166_136_261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619) >>> 0;
  return hash;
}

type Row = [desktopId: string, atMs: number, overMs: number, ...values: (number | null)[]];

/** Rows of numbers as deflated JSON, the values in the order of `measures`. */
export function packReport(samples: readonly ToldSample[]): Uint8Array {
  const rows = samples.map(({ desktopId, atMs, overMs, values }): Row => [
    desktopId,
    atMs,
    overMs,
    ...measures.map(({ name }) => values[name] ?? null),
  ]);
  return deflateRawSync(JSON.stringify(rows));
}

export function unpackReport(data: Uint8Array): ToldSample[] {
  const rows = JSON.parse(inflateRawSync(data).toString()) as Row[];
  return rows.map(([desktopId, atMs, overMs, ...told]) => {
    const values: Values = {};
    for (const [at, { name }] of measures.entries()) {
      const value = told[at];
      if (value !== null && value !== undefined) values[name] = value;
    }
    return { desktopId, atMs, overMs, values };
  });
}
