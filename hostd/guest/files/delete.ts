import { Fault } from '@lebureau/kit/fault';
import type { FileChannels } from './channels.ts';
import { typeOf } from './entry.ts';
import { explain, explained, look } from './explain.ts';
import { folderOf, resolveEntryPath } from './path.ts';
import { statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

const treeTimeoutMs = 120_000;

/**
 * Removes a file, a symlink (never what it leads to), an empty folder, or with `recursive` a whole tree. A tree is left
 * to `rm` in the guest: it walks by descriptors, so a folder that turns into a symlink meanwhile leads it nowhere.
 */
export async function deleteFile(
  channels: FileChannels,
  query: { path: string; recursive?: boolean },
  signal?: AbortSignal,
): Promise<void> {
  const path = resolveEntryPath(query.path, channels.home);
  const session = await channels.session('quick');
  const there = await explained(session, path, () => session.lstat(path));
  if (typeOf(there) !== 'directory') return explained(session, path, () => session.remove(path));
  try {
    await session.removeDirectory(path);
  } catch (error) {
    if (!isRefusal(error, statusCode.failure)) throw await explain(session, error, path);
    if (!query.recursive) throw await explainRefusedFolder(session, error, path);
    await removeTree(channels, path, signal);
  }
}

async function explainRefusedFolder(session: SftpSession, error: unknown, path: string): Promise<unknown> {
  const fault = await explain(session, error, path);
  const isBlunt = fault instanceof Fault && fault.code === 'permission_denied' && !(await isReadOnly(session, path));
  return isBlunt ? new Fault('directory_not_empty', `${path} is not empty.`, { cause: error }) : fault;
}

async function isReadOnly(session: SftpSession, path: string): Promise<boolean> {
  const facts = await session.fileSystem(path).catch(() => undefined);
  return facts?.readOnly ?? false;
}

async function removeTree(channels: FileChannels, path: string, signal: AbortSignal | undefined): Promise<void> {
  const init = await channels.parts.init();
  const result = await init.exec({
    argv: ['rm', '-rf', '--one-file-system', '--', path],
    user: 'agent',
    cwd: '/',
    env: { LC_ALL: 'C' },
    timeoutMs: treeTimeoutMs,
    outputMaxBytes: 4096,
    signal,
  });
  if (result.exitCode === 0) return;
  const cause = new Error(Buffer.from(result.stderr).toString().slice(0, 500));
  if (result.timedOut)
    throw new Fault('timeout', `${path} was not deleted within ${treeTimeoutMs / 1000} s; part of it is gone.`, {
      cause,
    });
  if (/Permission denied|Operation not permitted/.test(cause.message))
    throw new Fault('permission_denied', `Not everything in ${path} may be deleted by user agent.`, { cause });
  const session = await channels.session('quick');
  if ((await look(session, path)) !== undefined)
    throw new Fault('directory_not_empty', `${path} could not be deleted whole.`, {
      hint: 'Something in it is in use or new; try again.',
      cause,
    });
  throw new Fault('file_not_found', `${path} in ${folderOf(path)} was gone already.`, { cause });
}
