import type { FileEntry } from '@lebureau/sdk/types';
import { type Effect, type Schema, type Tool, defineTool } from '../tool.ts';

const read: Effect = { readOnly: true, destructive: false, idempotent: true, openWorld: true };
const path: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: 4096,
  description: 'Absolute, or relative to the home folder of agent',
};
const readMaxBytes = 262_144;
const writeMaxChars = 1_400_000;

const list = defineTool<{ path?: string; limit?: number }>({
  name: 'desktop_files_list',
  title: 'List a folder',
  toolset: 'files',
  capability: 'files:read',
  description: 'List a folder of the desktop: type, size, mode, time and name, one a line. Default: the home folder.',
  onDesktop: true,
  input: { path, limit: { type: 'integer', minimum: 1, maximum: 1000, default: 200 } },
  effect: read,
  async run({ path: folder, limit = 200 }, { desktop, options }) {
    const page = await desktop.files.list(folder, { limit }, options);
    const more = page.hasNext ? ' There are more: use desktop_exec with ls.' : '';
    return {
      text: `${page.data.length} entries.${more}`,
      untrusted: [{ what: 'names of files', text: page.data.map(line).join('\n') }],
    };
  },
});

const readFile = defineTool<{ path: string; offset?: number; maxBytes?: number; encoding?: 'text' | 'base64' }>({
  name: 'desktop_files_read',
  title: 'Read a file',
  toolset: 'files',
  capability: 'files:read',
  description:
    'Read a file of the desktop, or a part of it, as text (UTF-8) or base64. A large file comes in parts: go on at the offset that the answer names.',
  onDesktop: true,
  input: {
    path,
    offset: { type: 'integer', minimum: 0, default: 0, description: 'First byte' },
    maxBytes: { type: 'integer', minimum: 1, maximum: readMaxBytes, default: 65_536 },
    encoding: { type: 'string', enum: ['text', 'base64'], default: 'text' },
  },
  required: ['path'],
  effect: read,
  async run({ path: file, offset = 0, maxBytes = 65_536, encoding = 'text' }, { desktop, options }) {
    // One byte more than asked for tells whether there is more.
    const bytes = await desktop.files.bytes(file, { offset, maxBytes: maxBytes + 1, ...options });
    const part = bytes.subarray(
      0,
      encoding === 'text' ? wholeCharacters(bytes, maxBytes) : Math.min(maxBytes, bytes.length),
    );
    const more = bytes.length > part.length ? ` There is more: go on with offset ${offset + part.length}.` : '';
    const text = encoding === 'base64' ? Buffer.from(part).toString('base64') : new TextDecoder().decode(part);
    return { text: `${part.length} bytes from ${offset}.${more}`, untrusted: [{ what: `file ${file}`, text }] };
  },
});

const write = defineTool<{
  path: string;
  content: string;
  encoding?: 'text' | 'base64';
  mode?: string;
  overwrite?: boolean;
}>({
  name: 'desktop_files_write',
  title: 'Write a file',
  toolset: 'files',
  capability: 'files:write',
  description:
    'Write a whole file on the desktop from text or base64 (up to 1 MiB); missing folders are made, a file of that name is replaced. Answers with size and sha256.',
  onDesktop: true,
  input: {
    path,
    content: { type: 'string', maxLength: writeMaxChars },
    encoding: { type: 'string', enum: ['text', 'base64'], default: 'text' },
    mode: { type: 'string', pattern: '^0?[0-7]{3}$', description: 'Octal, e.g. 755' },
    overwrite: { type: 'boolean', default: true },
  },
  required: ['path', 'content'],
  effect: { readOnly: false, destructive: true, idempotent: true, openWorld: false },
  async run({ path: file, content, encoding = 'text', mode, overwrite }, { desktop, options }) {
    if (encoding === 'base64' && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(content)) {
      return { text: 'content is no base64. Nothing was written. Next: send it with encoding "text".', failed: true };
    }
    const bytes = encoding === 'base64' ? new Uint8Array(Buffer.from(content, 'base64')) : content;
    const { entry, sha256 } = await desktop.files.write(file, bytes, { mode, overwrite, ...options });
    return { text: `Wrote ${entry.sizeBytes} bytes to ${entry.path}, sha256 ${sha256}.` };
  },
});

const move = defineTool<{ from: string; to: string; overwrite?: boolean }>({
  name: 'desktop_files_move',
  title: 'Move or rename a file',
  toolset: 'files',
  capability: 'files:write',
  description: 'Move or rename a file or folder on the desktop.',
  onDesktop: true,
  input: {
    from: path,
    to: path,
    overwrite: { type: 'boolean', default: false, description: 'Replace a file that is in the way' },
  },
  required: ['from', 'to'],
  effect: { readOnly: false, destructive: true, idempotent: false, openWorld: false },
  async run({ from, to, overwrite }, { desktop, options }) {
    const entry = await desktop.files.move(from, to, { ...(overwrite === undefined ? {} : { overwrite }), ...options });
    return { text: `It is at ${entry.path} now.` };
  },
});

const remove = defineTool<{ path: string; recursive?: boolean }>({
  name: 'desktop_files_delete',
  title: 'Delete a file',
  toolset: 'files',
  capability: 'files:write',
  description:
    'Delete a file or an empty folder of the desktop; recursive deletes a folder with all that is in it, and must be confirmed like desktops_delete.',
  onDesktop: true,
  input: { path, recursive: { type: 'boolean', default: false } },
  required: ['path'],
  effect: { readOnly: false, destructive: true, idempotent: true, openWorld: false },
  confirm: (args, desktopId) =>
    args.recursive ? `Delete ${args.path} on desktop ${desktopId} with everything in it?` : undefined,
  async run({ path: file, recursive }, { desktop, options }) {
    await desktop.files.delete(file, { ...(recursive === undefined ? {} : { recursive }), ...options });
    return { text: `Deleted ${file}.` };
  },
});

export const fileTools: readonly Tool[] = [list, readFile, write, move, remove];

function line(entry: FileEntry): string {
  const target = entry.linkTarget === null ? '' : ` -> ${entry.linkTarget}`;
  return `${entry.type} ${entry.sizeBytes} ${entry.mode} ${entry.modifiedAt} ${entry.name}${target}`;
}

/** How many bytes up to `max` end with a whole UTF-8 character. */
function wholeCharacters(bytes: Uint8Array, max: number): number {
  if (bytes.length <= max) return bytes.length;
  let end = max;
  while (end > max - 4 && end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return end > 0 ? end : max;
}
