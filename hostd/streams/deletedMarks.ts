import { closeSync, openSync, readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

/** Beyond that the oldest are forgotten. */
const marksMax = 64;
const suffix = '.deleted';

/** Recordings of this name that began before then were deleted. */
export interface DeletedMark {
  terminalName: string;
  path: string;
  atMs: number;
}

/** Remembers in the folder, as long as recordings are kept, that recordings of this name were deleted. */
export function markDeleted(folder: string, name: string, nowMs: number): void {
  const path = join(folder, `${name}${suffix}`);
  closeSync(openSync(path, 'w', 0o600));
  utimesSync(path, nowMs / 1000, nowMs / 1000);
  const marks = marksOf(folder);
  for (const { path: old } of marks.slice(0, Math.max(0, marks.length - marksMax))) unlinkSync(old);
}

/** The oldest first. */
export function marksOf(folder: string): DeletedMark[] {
  return readdirSync(folder)
    .filter((each) => each.endsWith(suffix))
    .map((each) => {
      const path = join(folder, each);
      return { terminalName: each.slice(0, -suffix.length), path, atMs: Math.floor(statSync(path).mtimeMs) };
    })
    .toSorted((a, b) => a.atMs - b.atMs);
}

/** Whether a recording that began then is one of those; in the second of the deletion it may be a newer one. */
export function wasDeleted(folder: string, name: string, beganAt: number): boolean {
  const mark = statSync(join(folder, `${name}${suffix}`), { throwIfNoEntry: false });
  return mark !== undefined && beganAt < Math.floor(mark.mtimeMs / 1000);
}
