import { Fault } from '@lebureau/kit/fault';

export const agentHome = '/home/agent';

const pathMaxBytes = 4096;
const nameMaxBytes = 255;

/**
 * The absolute path that a caller means: absolute already, `~`, `~/…`, or relative to the home folder.
 * `.` and doubled slashes go; `..` stays, because only the guest knows what it means behind a symlink.
 * @throws Fault invalid_path
 */
export function resolvePath(text: string, home: string = agentHome): string {
  if (text === '') throw invalid('The path is empty.');
  if (text.includes('\0')) throw invalid('The path contains NUL.');
  // A lone surrogate would be encoded as U+FFFD and name another file.
  if (!text.isWellFormed()) throw invalid('The path is not valid Unicode.');
  const full = text.startsWith('/')
    ? text
    : `${home}/${text === '~' ? '' : text.startsWith('~/') ? text.slice(2) : text}`;
  const names = full.split('/').filter((name) => name !== '' && name !== '.');
  if (names.some((name) => Buffer.byteLength(name) > nameMaxBytes))
    throw invalid(`A name in the path is longer than ${nameMaxBytes} bytes.`);
  const path = `/${names.join('/')}`;
  if (Buffer.byteLength(path) >= pathMaxBytes) throw invalid(`The path is longer than ${pathMaxBytes - 1} bytes.`);
  return path;
}

/** As `resolvePath`, for a path whose last name is made, replaced or removed: it must name something inside a folder. */
export function resolveEntryPath(text: string, home?: string): string {
  const path = resolvePath(text, home);
  if (path === '/' || nameOf(path) === '..') throw invalid('The path must end in the name of a file or folder.');
  return path;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function joinPath(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

function invalid(detail: string): Fault {
  return new Fault('invalid_path', detail);
}
