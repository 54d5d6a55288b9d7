import { Fault } from '@lebureau/kit/fault';
import type { FileChannels } from './channels.ts';
import { type FileEntry, toEntry, typeOf } from './entry.ts';
import { explain, explained } from './explain.ts';
import { noteContent } from './garbage.ts';
import { nameOf, resolvePath } from './path.ts';
import { type ByteRange, parseRange } from './range.ts';
import { openFlag } from './sftpPacket.ts';
import type { SftpSession } from './sftpSession.ts';

export interface FileContent extends ByteRange {
  /** Of the file a symlink leads to; `path` is the one asked for. */
  entry: FileEntry;
  /** Exactly `lengthBytes` bytes; it errors when the file shrinks meanwhile. Cancel it, or read it to its end. */
  body: ReadableStream<Uint8Array>;
}

/** Bytes asked for and not yet taken by the reader. */
const windowBytes = 2 * 1024 * 1024;
/** Files of /proc and /sys say that they are empty: so much of them is read. */
const unsizedMaxBytes = 1024 * 1024;

/** Opens a file for reading. `range` is the header as it came. Devices and pipes are refused: opening one can block. */
export async function readFile(
  channels: FileChannels,
  query: { path: string },
  options: { range?: string; signal?: AbortSignal } = {},
): Promise<FileContent> {
  const path = resolvePath(query.path, channels.home);
  const session = await channels.session('bulk');
  const attributes = await explained(session, path, () => session.stat(path));
  if (typeOf(attributes) === 'directory') throw new Fault('is_a_directory', `${path} is a folder.`);
  if (typeOf(attributes) !== 'file')
    throw new Fault('permission_denied', `${path} is a device, pipe or socket.`, { hint: 'Use exec to read it.' });
  const entry = toEntry(path, nameOf(path), attributes);
  const handle = await explained(session, path, () => session.open(path, openFlag.read));
  try {
    if (attributes.sizeBytes === 0) return await unsizedContent({ session, handle, entry }, options.range);
    const range = parseRange(options.range, attributes.sizeBytes);
    const body = streamRange({ session, handle, entry }, range, options.signal);
    return { entry, ...range, body };
  } catch (error) {
    session.close(handle).catch(() => {});
    throw error;
  }
}

interface OpenFile {
  session: SftpSession;
  handle: Buffer;
  entry: FileEntry;
}

async function unsizedContent(file: OpenFile, range: string | undefined): Promise<FileContent> {
  const { session, handle, entry } = file;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  while (sizeBytes < unsizedMaxBytes) {
    const chunk = await explained(session, entry.path, () => session.read(handle, sizeBytes, session.chunkBytes.read));
    if (chunk.length === 0) break;
    chunks.push(chunk);
    sizeBytes += chunk.length;
  }
  session.close(handle).catch(() => {});
  const whole = Buffer.concat(chunks);
  const parsed = sizeBytes === 0 ? { firstByte: 0, lengthBytes: 0, isPart: false } : parseRange(range, sizeBytes);
  const bytes = whole.subarray(parsed.firstByte, parsed.firstByte + parsed.lengthBytes);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
  return { entry: { ...entry, sizeBytes }, ...parsed, body };
}

function streamRange(file: OpenFile, range: ByteRange, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const { session, handle } = file;
  const end = range.firstByte + range.lengthBytes;
  const underWay: Promise<Buffer>[] = [];
  let asked = range.firstByte;
  let isOver = false;
  const askAhead = () => {
    while (!isOver && asked < end && underWay.length * session.chunkBytes.read < windowBytes) {
      const count = Math.min(session.chunkBytes.read, end - asked);
      const chunk = readFully(file, asked, count);
      chunk.catch(() => {});
      underWay.push(chunk);
      asked += count;
    }
  };
  const finish = () => {
    if (isOver) return;
    isOver = true;
    signal?.removeEventListener('abort', finish);
    session.close(handle).catch(() => {});
  };
  signal?.addEventListener('abort', finish, { once: true });
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          signal?.throwIfAborted();
          askAhead();
          const chunk = await underWay.shift();
          if (chunk !== undefined) {
            noteContent(chunk.length);
            controller.enqueue(chunk);
          }
          if (underWay.length > 0 || asked < end) return;
          finish();
          controller.close();
        } catch (error) {
          finish();
          controller.error(await explain(session, error, file.entry.path));
        }
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  );
}

async function readFully(file: OpenFile, offset: number, count: number): Promise<Buffer> {
  const first = await file.session.read(file.handle, offset, count);
  if (first.length === count) return first;
  const chunks = [first];
  for (let have = first.length; have < count;) {
    const more = await file.session.read(file.handle, offset + have, count - have);
    if (more.length === 0 || chunks.length > 1000) throw new Error(`${file.entry.path} shrank while it was read`);
    chunks.push(more);
    have += more.length;
  }
  return Buffer.concat(chunks);
}
