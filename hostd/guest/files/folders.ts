import { Fault } from '@lebureau/kit/fault';
import type { FileChannels } from './channels.ts';
import { type FileEntry, typeOf } from './entry.ts';
import { explain, explained } from './explain.ts';
import { entryAt } from './list.ts';
import { folderOf, resolveEntryPath } from './path.ts';
import { statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

export async function makeDirectory(
  channels: FileChannels,
  body: { path: string; parents?: boolean; mode?: string },
): Promise<FileEntry> {
  const path = resolveEntryPath(body.path, channels.home);
  const session = await channels.session('quick');
  const isMade = await make(session, path, body.parents ?? true);
  if (!isMade && body.parents === false) throw new Fault('file_exists', `${path} exists.`);
  return explained(session, path, async () => {
    // The guest's umask takes from the mode of a mkdir, so it is set afterwards.
    if (isMade && body.mode !== undefined) await session.setMode(path, Number.parseInt(body.mode, 8));
    return entryAt(session, path);
  });
}

/** Makes a folder and those above it that are missing. Existing ones are fine. */
export async function makeFolders(session: SftpSession, path: string): Promise<void> {
  await make(session, path, true);
}

/** @returns false when the folder was there. */
async function make(session: SftpSession, path: string, parents: boolean): Promise<boolean> {
  try {
    await session.makeDirectory(path);
    return true;
  } catch (error) {
    const attributes = await session.stat(path).catch(() => undefined);
    if (attributes !== undefined) {
      if (typeOf(attributes) === 'directory') return false;
      throw new Fault(parents ? 'not_a_directory' : 'file_exists', `${path} exists and is not a folder.`, {
        cause: error,
      });
    }
    const folder = folderOf(path);
    const fault = await explain(session, error, path);
    if (!parents || !isRefusal(error, statusCode.noSuchFile) || folder === path || isLinkAtFault(fault)) throw fault;
    await make(session, folder, true);
  }
  return explained(session, path, async () => {
    await session.makeDirectory(path).catch(async (error: unknown) => {
      // Somebody else made it in the meantime.
      if (typeOf(await session.stat(path)) !== 'directory') throw error;
    });
    return true;
  });
}

function isLinkAtFault(fault: unknown): boolean {
  return fault instanceof Fault && fault.code === 'not_a_directory';
}
