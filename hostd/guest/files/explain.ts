import { Fault } from '@lebureau/kit/fault';
import { typeOf } from './entry.ts';
import { folderOf } from './path.ts';
import { type Attributes, statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

const permissionHint = 'Files are reached as user `agent`; use exec as root for what only root may do.';

/**
 * What a refusal means. Version 3 of SFTP tells of a missing file, of missing rights, and calls the rest a failure, so
 * the reasons for a failure are looked for. Anything but a refusal is returned as it is.
 */
export async function explain(session: SftpSession, error: unknown, path: string): Promise<unknown> {
  if (!isRefusal(error)) return error;
  switch (error.status) {
    case statusCode.noSuchFile:
      return missing(session, path, error);
    case statusCode.permissionDenied:
      return new Fault('permission_denied', `The guest does not let user agent use ${path}.`, {
        hint: permissionHint,
        cause: error,
      });
    case statusCode.badMessage:
      return new Fault('invalid_path', `The guest cannot use ${path} like this.`, { cause: error });
    default:
      return failure(session, path, error);
  }
}

/** Runs `work`; a refusal becomes a Fault about `path`. */
export async function explained<Value>(session: SftpSession, path: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw await explain(session, error, path);
  }
}

/** Undefined when nothing is there; a refusal becomes a Fault. */
export async function look(session: SftpSession, path: string): Promise<Attributes | undefined> {
  try {
    return await session.lstat(path);
  } catch (error) {
    if (isRefusal(error, statusCode.noSuchFile)) return undefined;
    throw await explain(session, error, path);
  }
}

/** OpenSSH says "no such file" for ENOTDIR and ELOOP too. */
async function missing(session: SftpSession, path: string, cause: Error): Promise<Fault> {
  for (let at = folderOf(path); at !== '/'; at = folderOf(at)) {
    const attributes = await session.stat(at).catch(() => undefined);
    if (attributes === undefined) continue;
    if (typeOf(attributes) !== 'directory') return new Fault('not_a_directory', `${at} is not a folder.`, { cause });
    break;
  }
  return new Fault('file_not_found', `${path} does not exist.`, { cause });
}

/** A disk with less room than one chunk left is full for the one who writes chunks. */
const nearlyFullBytes = 512 * 1024;

async function failure(session: SftpSession, path: string, cause: Error): Promise<Fault> {
  const facts =
    (await session.fileSystem(path).catch(() => undefined)) ??
    (await session.fileSystem(folderOf(path)).catch(() => undefined));
  if (facts?.readOnly) return new Fault('permission_denied', `${path} lies on a read-only file system.`, { cause });
  const isFull = facts !== undefined && facts.blocksFree * facts.blockBytes < nearlyFullBytes;
  if (isFull || (facts !== undefined && facts.inodes > 0 && facts.inodesFree === 0))
    return new Fault('disk_full', 'The disk of the desktop is full.', { cause });
  return new Fault('permission_denied', `The guest refused to use ${path}.`, { hint: permissionHint, cause });
}
