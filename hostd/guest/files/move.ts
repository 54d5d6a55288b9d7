import { Fault } from '@lebureau/kit/fault';
import type { FileChannels } from './channels.ts';
import { type FileEntry, typeOf } from './entry.ts';
import { explain, explained, look } from './explain.ts';
import { entryAt } from './list.ts';
import { folderOf, resolveEntryPath } from './path.ts';
import { statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

/**
 * Renames. Without `overwrite` nothing is ever replaced: for a file the guest links and unlinks, which fails when
 * something is there; for a folder it looks first, and rename(2) then replaces at most an empty folder made in between.
 * With `overwrite` a file in the way is replaced in one step; a folder in the way never is.
 */
export async function moveFile(
  channels: FileChannels,
  body: { from: string; to: string; overwrite?: boolean },
): Promise<FileEntry> {
  const from = resolveEntryPath(body.from, channels.home);
  const to = resolveEntryPath(body.to, channels.home);
  const session = await channels.session('quick');
  const [source, there] = await Promise.all([look(session, from), look(session, to)]);
  if (source === undefined) throw await explain(session, await refusalOf(session, from), from);
  if (from !== to) {
    if (there !== undefined && !body.overwrite) throw new Fault('file_exists', `${to} exists.`);
    if (there !== undefined && typeOf(there) === 'directory') throw new Fault('is_a_directory', `${to} is a folder.`);
    try {
      await (body.overwrite ? session.renameOver(from, to) : session.renameNew(from, to));
    } catch (error) {
      throw await explainMove(session, error, { from, to, overwrite: body.overwrite ?? false });
    }
  }
  return explained(session, to, () => entryAt(session, to));
}

async function refusalOf(session: SftpSession, path: string): Promise<unknown> {
  return session.lstat(path).then(
    () => new Fault('file_not_found', `${path} did not exist a moment ago.`),
    (error: unknown) => error,
  );
}

async function explainMove(
  session: SftpSession,
  error: unknown,
  move: { from: string; to: string; overwrite: boolean },
): Promise<unknown> {
  if (!isRefusal(error)) return error;
  if (!move.overwrite && error.status === statusCode.failure && (await look(session, move.to)) !== undefined)
    return new Fault('file_exists', `${move.to} exists.`, { cause: error });
  if (error.status === statusCode.failure && (await liesElsewhere(session, move)))
    return new Fault('invalid_path', `${move.from} and ${move.to} lie on different file systems.`, {
      hint: 'Use exec with mv.',
      cause: error,
    });
  const source = await look(session, move.from);
  const to = await look(session, move.to);
  if (source !== undefined && to !== undefined && typeOf(source) === 'directory' && typeOf(to) !== 'directory')
    return new Fault('not_a_directory', `${move.to} is not a folder.`, { cause: error });
  return explain(session, error, error.status === statusCode.noSuchFile && source !== undefined ? move.to : move.from);
}

async function liesElsewhere(session: SftpSession, move: { from: string; to: string }): Promise<boolean> {
  const facts = await Promise.all([
    session.fileSystem(folderOf(move.from)),
    session.fileSystem(folderOf(move.to)),
  ]).catch(() => []);
  return facts.length === 2 && facts[0]!.id !== facts[1]!.id;
}
