import { createHash } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { FileChannels } from './channels.ts';
import { type FileEntry, toEntry, typeOf } from './entry.ts';
import { explain, explained } from './explain.ts';
import { sweep } from './leftovers.ts';
import { joinPath, nameOf, resolvePath } from './path.ts';
import type { DirectoryItem, SftpSession } from './sftpSession.ts';

const itemsMax = 100_000;
const limitDefault = 200;
/** Requests for more of a folder that are under way at once. */
const readsAhead = 4;

/**
 * One page of a folder, sorted by the bytes of the names. A cursor names the last entry of the page before, so that a
 * folder that changes meanwhile neither repeats nor skips what stays in it.
 */
export async function listFiles(
  channels: FileChannels,
  query: { path?: string; limit?: number; cursor?: string },
): Promise<components['schemas']['FileList']> {
  const path = resolvePath(query.path ?? '~', channels.home);
  const limit = query.limit ?? limitDefault;
  const session = await channels.session('quick');
  const items = await readFolder(session, path);
  items.sort((one, other) => Buffer.compare(one.name, other.name));
  const start = startOf(items, query.cursor);
  const page = items.slice(start, start + limit);
  const data = await Promise.all(page.map((item) => entryOf(session, path, item)));
  sweep(channels, path, items);
  const last = page.at(-1);
  const hasMore = last !== undefined && start + page.length < items.length;
  return { data, nextCursor: hasMore ? `${start + page.length}.${digest(last.name)}` : null };
}

export async function statFile(channels: FileChannels, query: { path: string }): Promise<FileEntry> {
  const path = resolvePath(query.path, channels.home);
  const session = await channels.session('quick');
  return explained(session, path, () => entryAt(session, path));
}

/** The entry at an absolute path; of a symlink the link itself. @throws SftpRefusal */
export async function entryAt(session: SftpSession, path: string): Promise<FileEntry> {
  const entry = toEntry(path, nameOf(path) || '/', await session.lstat(path));
  return { ...entry, linkTarget: await targetOf(session, entry) };
}

export async function readFolder(session: SftpSession, path: string): Promise<DirectoryItem[]> {
  let handle: Buffer;
  try {
    handle = await session.openDirectory(path);
  } catch (error) {
    const fault = await explain(session, error, path);
    const attributes = await session.stat(path).catch(() => undefined);
    if (attributes !== undefined && typeOf(attributes) !== 'directory')
      throw new Fault('not_a_directory', `${path} is not a folder.`, { cause: fault });
    throw fault;
  }
  try {
    return await explained(session, path, () => readAll(session, handle));
  } finally {
    session.close(handle).catch(() => {});
  }
}

async function readAll(session: SftpSession, handle: Buffer): Promise<DirectoryItem[]> {
  const items: DirectoryItem[] = [];
  for (;;) {
    const batches = await Promise.all(Array.from({ length: readsAhead }, () => session.readDirectory(handle)));
    for (const batch of batches) {
      if (batch === undefined) return items;
      items.push(...batch);
    }
    if (items.length > itemsMax)
      throw new Fault('payload_too_large', `The folder holds more than ${itemsMax} entries.`, {
        hint: 'Use exec with find or ls.',
      });
    if (batches.every((batch) => batch?.length === 0)) return items;
  }
}

function startOf(items: readonly DirectoryItem[], cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const parts = /^(\d{1,6})\.([\w-]{22})$/.exec(cursor);
  if (parts === null) throw new Fault('invalid_request', 'The cursor is not one of ours.');
  const index = Number(parts[1]);
  const isLast = (item: DirectoryItem | undefined) => item !== undefined && digest(item.name) === parts[2];
  if (isLast(items[index - 1])) return index;
  const found = items.findIndex(isLast);
  return found < 0 ? index : found + 1;
}

function digest(name: Buffer): string {
  return createHash('sha256').update(name).digest().subarray(0, 16).toString('base64url');
}

async function entryOf(session: SftpSession, folder: string, item: DirectoryItem): Promise<FileEntry> {
  const entry = toEntry(joinPath(folder, item.name.toString()), item.name, item.attributes);
  if (entry.nameBase64 !== undefined) return entry;
  return { ...entry, linkTarget: await targetOf(session, entry) };
}

async function targetOf(session: SftpSession, entry: FileEntry): Promise<string | null> {
  return entry.type === 'symlink' ? session.readLink(entry.path).catch(() => null) : null;
}
