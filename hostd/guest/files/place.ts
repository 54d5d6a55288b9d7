import { Fault } from '@lebureau/kit/fault';
import { typeOf } from './entry.ts';
import { explain, explained, look } from './explain.ts';
import { makeFolders } from './folders.ts';
import { folderOf } from './path.ts';
import { type Attributes, openFlag, statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

const defaultMode = 0o644;

export interface PlaceWish {
  /** Octal. Default: of the file replaced, else 0644. */
  mode?: string;
  /** Default true. */
  overwrite?: boolean;
}

export interface Place {
  path: string;
  mode: number;
}

/** Where the file goes, behind symlinks, and with which mode. Refuses what must not be replaced. */
export async function placeOf(session: SftpSession, asked: string, query: PlaceWish): Promise<Place> {
  const { path, there } =
    query.overwrite === false ? { path: asked, there: await look(session, asked) } : await behindLinks(session, asked);
  if (there !== undefined) await checkReplaceable(session, { path, there, overwrite: query.overwrite ?? true });
  const mode = query.mode === undefined ? undefined : Number.parseInt(query.mode, 8);
  return { path, mode: mode ?? (there === undefined ? defaultMode : there.mode & 0o7777) };
}

/** What a path leads to, and what is there. A link to nothing leads to the file that it would make. */
export async function behindLinks(
  session: SftpSession,
  asked: string,
): Promise<{ path: string; there: Attributes | undefined }> {
  const first = await look(session, asked);
  if (first === undefined || typeOf(first) !== 'symlink') return { path: asked, there: first };
  const path = await explained(session, asked, () => session.realPath(asked));
  const there = await look(session, path);
  if (there !== undefined && typeOf(there) === 'symlink') throw new Fault('invalid_path', `${asked} leads nowhere.`);
  return { path, there };
}

async function checkReplaceable(
  session: SftpSession,
  target: { path: string; there: Attributes; overwrite: boolean },
): Promise<void> {
  const { path, there } = target;
  if (typeOf(there) === 'directory') throw new Fault('is_a_directory', `${path} is a folder.`);
  if (!target.overwrite) throw new Fault('file_exists', `${path} exists.`);
  if (typeOf(there) !== 'file') throw new Fault('file_exists', `${path} is a device, pipe or socket.`);
  // A rename needs no right on the file itself; opening it shows whether agent may write it at all.
  try {
    await session.close(await session.open(path, openFlag.write));
  } catch (error) {
    if (isRefusal(error, statusCode.permissionDenied)) throw await explain(session, error, path);
  }
}

/** Makes the file beside its place that becomes it, and missing folders where wished. */
export async function openTemporary(session: SftpSession, temporary: string, parents: boolean): Promise<Buffer> {
  const open = () => session.open(temporary, openFlag.write | openFlag.create | openFlag.exclusive, 0o600);
  const folder = folderOf(temporary);
  try {
    return await open();
  } catch (error) {
    if (!parents || !isRefusal(error, statusCode.noSuchFile)) throw await explain(session, error, folder);
  }
  await makeFolders(session, folder);
  return explained(session, folder, open);
}

/** The name that it goes by from now on, whole: a rename, durable once the folder is. */
export async function putInPlace(
  session: SftpSession,
  temporary: string,
  place: { path: string; isNew: boolean },
): Promise<void> {
  if (!place.isNew) return session.renameOver(temporary, place.path);
  try {
    await session.renameNew(temporary, place.path);
  } catch (error) {
    if ((await look(session, place.path)) !== undefined)
      throw new Fault('file_exists', `${place.path} exists.`, { cause: error });
    throw error;
  }
}

/** The rename itself survives a power cut only when its folder is flushed; Linux lets a folder be opened as a file. */
export async function flushFolder(session: SftpSession, folder: string): Promise<void> {
  const handle = await session.open(folder, openFlag.read).catch(() => undefined);
  if (handle === undefined) return;
  await flush(session, handle).catch(() => {});
  session.close(handle).catch(() => {});
}

/** A file system that cannot flush (a FUSE one) is no reason to refuse the file. */
export async function flush(session: SftpSession, handle: Buffer): Promise<void> {
  try {
    await session.flush(handle);
  } catch (error) {
    if (!isRefusal(error, statusCode.badMessage) && !isRefusal(error, statusCode.unsupported)) throw error;
  }
}
