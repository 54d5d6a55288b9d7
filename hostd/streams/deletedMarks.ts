import { closeSync, openSync, readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

/** Beyond that the oldest are forgotten. */
const marksMax = 64;
const suffix = '.deleted';

/** Remembers in the folder, as long as recordings are kept, that recordings of this name were deleted. */
export function markDeleted(folder: string, name: string, nowMs: number): void {
  const path = join(folder, `${name}${suffix}`);
  closeSync(openSync(path, 'w', 0o600));
  utimesSync(path, nowMs / 1000, nowMs / 1000);
  const marks = readdirSync(folder).filter((each) => each.endsWith(suffix));
  if (marks.length <= marksMax) return;
  const byAge = marks
    .map((each) => ({ path: join(folder, each), atMs: statSync(join(folder, each)).mtimeMs }))
    .toSorted((a, b) => a.atMs - b.atMs);
  for (const { path: old } of byAge.slice(0, marks.length - marksMax)) unlinkSync(old);
}

/** Whether a recording that began then is one of those; in the second of the deletion it may be a newer one. */
export function wasDeleted(folder: string, name: string, beganAt: number): boolean {
  const mark = statSync(join(folder, `${name}${suffix}`), { throwIfNoEntry: false });
  return mark !== undefined && beganAt < Math.floor(mark.mtimeMs / 1000);
}
