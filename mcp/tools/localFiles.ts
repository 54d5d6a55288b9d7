import { constants } from 'node:fs';
import { type FileHandle, link, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { type Schema, type Tool, type ToolCall, defineTool } from '../tool.ts';

/** Files between the desktop and the machine that this server runs on, below the folders opened with --local-root. */

const localPath: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: 4096,
  description: 'On this machine, below a folder opened with --local-root',
};
const path: Schema = { type: 'string', minLength: 1, maxLength: 4096, description: 'On the desktop' };

class OutsideError extends Error {
  override readonly name = 'OutsideError';
}

const upload = defineTool<{ localPath: string; path: string; mode?: string }>({
  name: 'desktop_files_upload',
  title: 'Upload a file from this machine',
  toolset: 'files',
  capability: 'files:write',
  description:
    'Copy a file of any size from the machine of the MCP server to the desktop. Answers with size and sha256.',
  onDesktop: true,
  local: true,
  input: { localPath, path, mode: { type: 'string', pattern: '^0?[0-7]{3}$' } },
  required: ['localPath', 'path'],
  effect: { readOnly: false, destructive: true, idempotent: true, openWorld: false },
  async run({ localPath: from, path: to, mode }, call) {
    const file = await inside(call.localRoots, from).catch(refusal);
    if (typeof file !== 'string') return file;
    // Opened once: whatever takes its name meanwhile is not what was allowed.
    await using handle = await open(file, constants.O_RDONLY);
    const { size } = await handle.stat();
    const slice = (start: number, end: number) => ({ arrayBuffer: () => readPart(handle, start, end) });
    const onUpload = (upload: { receivedBytes: number }) => call.report(`${upload.receivedBytes} of ${size} bytes`);
    const { signal } = call.options;
    const { entry, sha256 } = await call.desktop.files.upload(to, { size, slice }, { mode, onUpload, signal });
    return { text: `Uploaded ${entry.sizeBytes} bytes to ${entry.path}, sha256 ${sha256}.` };
  },
});

const download = defineTool<{ path: string; localPath: string; overwrite?: boolean }>({
  name: 'desktop_files_download',
  title: 'Download a file to this machine',
  toolset: 'files',
  capability: 'files:read',
  description: 'Copy a file of any size from the desktop to the machine of the MCP server.',
  onDesktop: true,
  local: true,
  input: { path, localPath, overwrite: { type: 'boolean', default: false } },
  required: ['path', 'localPath'],
  effect: { readOnly: false, destructive: true, idempotent: true, openWorld: true },
  async run({ path: from, localPath: to, overwrite = false }, call) {
    // `..` as a name would lead out of the folder that was checked.
    if (['', '.', '..'].includes(to.slice(to.lastIndexOf('/') + 1))) return { text: isFolder, failed: true };
    const full = resolve(call.localRoots[0] ?? '/', to);
    const folder = await inside(call.localRoots, dirname(full)).catch(refusal);
    if (typeof folder !== 'string') return folder;
    const goal = join(folder, basename(full));
    const bytes = await save(from, goal, { overwrite, call }).catch(refusal);
    if (typeof bytes !== 'number') return bytes;
    return { text: `Downloaded ${bytes} bytes to ${goal}.` };
  },
});

export const localFileTools: readonly Tool[] = [upload, download];

async function readPart(file: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  let count = 0;
  while (count < bytes.length) {
    const { bytesRead } = await file.read(bytes, count, bytes.length - count, start + count);
    if (bytesRead === 0) break;
    count += bytesRead;
  }
  return bytes.buffer.slice(0, count);
}

/** Writes beside the goal and puts it in place at the end, so that a download that breaks leaves nothing behind. */
async function save(from: string, to: string, how: { overwrite: boolean; call: ToolCall }): Promise<number> {
  const partial = `${to}.${crypto.randomUUID()}.partial`;
  const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  let bytes = 0;
  try {
    for await (const chunk of await how.call.desktop.files.stream(from, how.call.options)) {
      await file.writeFile(chunk);
      bytes += chunk.length;
      how.call.report(`${bytes} bytes`);
    }
    await file.sync();
    if (how.overwrite) await rename(partial, to);
    else await link(partial, to);
    return bytes;
  } finally {
    await file.close();
    await rm(partial, { force: true });
  }
}

/** The real path of a file or folder, which must lie below one of the roots once every link is followed. */
async function inside(roots: readonly string[], path: string): Promise<string> {
  const real = await realpath(resolve(roots[0] ?? '/', path)).catch(() => {
    throw new OutsideError(`There is no ${path} on this machine.`);
  });
  for (const root of roots) {
    const way = relative(await realpath(root), real);
    if (way === '' || (way !== '..' && !way.startsWith(`..${sep}`))) return real;
  }
  throw new OutsideError(`${path} lies outside of the folders opened to this server (${roots.join(', ')}).`);
}

const isFolder = 'That is a folder. Next: the path of a file.';

const localReasons: Readonly<Record<string, string>> = {
  EEXIST: 'A file of that name is there already on this machine. Next: another name, or overwrite true.',
  EACCES: 'This server may not write there. Next: another folder.',
  ENOSPC: 'The disk of this machine is full. Next: ask the user to make room.',
  EISDIR: isFolder,
};

function refusal(error: unknown): { text: string; failed: true } {
  if (error instanceof OutsideError) {
    return { text: `${error.message} Next: use a path below an opened folder.`, failed: true };
  }
  const reason = localReasons[(error as NodeJS.ErrnoException).code ?? ''];
  if (reason === undefined) throw error;
  return { text: reason, failed: true };
}
