import { idBody, newId } from '@lebureau/kit/id';
import type { FileChannels } from './channels.ts';
import { joinPath } from './path.ts';
import type { DirectoryItem } from './sftpSession.ts';

/** What is older than this and not ours of now was left by a process that died, or by somebody who did not come back. */
const staleAfterMs = { part: 3_600_000, upload: 86_400_000 } as const;
const removedMax = 100;
const pattern = /^\.lebureau-([0-7][0-9a-hjkmnp-tv-z]{25})\.(part|upload)$/;
const digits = '0123456789abcdefghjkmnpqrstvwxyz';

/** A name for a file that is being written. It carries the time by our clock, not the guest's. */
export function temporaryName(nowMs: number): string {
  return `.lebureau-${idBody(newId('tmp', nowMs))}.part`;
}

/** The name of what came in of an upload that may go on. */
export function uploadName(uploadId: string): string {
  return `.lebureau-${idBody(uploadId)}.upload`;
}

/** When an upload that is not finished goes: a day after it was last written to. */
export function uploadExpiryMs(uploadId: string, writtenMs: number): number {
  return Math.max(bornAtMs(idBody(uploadId)), writtenMs) + staleAfterMs.upload;
}

/** Removes, in the background, what uploads that never ended left in this folder. */
export function sweep(channels: FileChannels, folder: string, items: readonly DirectoryItem[]): void {
  const nowMs = channels.parts.clock.nowMs();
  const names = items
    .map(({ name, attributes }) => ({ name: name.toString(), writtenMs: attributes.modifiedSeconds * 1000 }))
    .filter(({ name, writtenMs }) => isStale(name, { nowMs, writtenMs }) && !channels.writing.has(name))
    .map(({ name }) => name);
  if (names.length === 0) return;
  void channels.session('quick').then(
    async (session) => {
      await Promise.allSettled(names.slice(0, removedMax).map((name) => session.remove(joinPath(folder, name))));
    },
    () => {},
  );
}

/** The guest's word for when it was last written counts for an upload only: it may take days, and the guest only harms itself. */
export function isStale(name: string, at: { nowMs: number; writtenMs: number }): boolean {
  const [, body, kind] = pattern.exec(name) ?? [];
  if (body === undefined) return false;
  const lastMs = kind === 'upload' ? Math.max(bornAtMs(body), at.writtenMs) : bornAtMs(body);
  return at.nowMs - lastMs > staleAfterMs[kind as keyof typeof staleAfterMs];
}

/** The first ten characters of a UUIDv7 in base32 are its 48 bits of milliseconds. */
function bornAtMs(body: string): number {
  let ms = 0;
  for (const digit of body.slice(0, 10)) ms = ms * 32 + digits.indexOf(digit);
  return ms;
}
