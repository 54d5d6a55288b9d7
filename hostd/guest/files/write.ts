import { createHash } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { FileChannels } from './channels.ts';
import { typeOf } from './entry.ts';
import { explain, explained, look } from './explain.ts';
import { makeFolders } from './folders.ts';
import { noteContent } from './garbage.ts';
import { sweep, temporaryName } from './leftovers.ts';
import { entryAt, readFolder } from './list.ts';
import { folderOf, joinPath, resolveEntryPath } from './path.ts';
import { type Attributes, openFlag, statusCode } from './sftpPacket.ts';
import { isRefusal, type SftpSession } from './sftpSession.ts';

export interface WriteQuery {
  path: string;
  /** Octal. Default: of the file replaced, else 0644. */
  mode?: string;
  /** Default true. */
  parents?: boolean;
  /** Default true. */
  overwrite?: boolean;
}

/** Bytes sent and not yet acknowledged by the guest; sshd's own window is as large. */
const windowBytes = 2 * 1024 * 1024;
const defaultMode = 0o644;

/**
 * Writes a file, whole or not at all: beside its place under a temporary name, flushed, then renamed over it. Whatever
 * fails, a body that ends early included, leaves the old file as it was. A symlink is followed, and stays.
 */
export async function writeFile(
  channels: FileChannels,
  query: WriteQuery,
  options: { body: AsyncIterable<Uint8Array>; signal?: AbortSignal },
): Promise<components['schemas']['WriteReceipt']> {
  const asked = resolveEntryPath(query.path, channels.home);
  const quick = await channels.session('quick');
  const place = await placeOf(quick, asked, query);
  const session = await channels.session('bulk');
  const name = temporaryName(channels.parts.clock.nowMs());
  const temporary = joinPath(folderOf(place.path), name);
  channels.writing.add(name);
  try {
    const handle = await openTemporary(session, temporary, query.parents ?? true);
    const sha256 = await fill({ session, handle, temporary }, { ...options, mode: place.mode });
    options.signal?.throwIfAborted();
    await explained(session, place.path, () =>
      putInPlace(session, temporary, { ...place, isNew: query.overwrite === false }),
    );
    await flushFolder(session, folderOf(place.path));
    sweepLater(channels, folderOf(place.path));
    return { entry: await explained(session, place.path, () => entryAt(session, place.path)), sha256 };
  } catch (error) {
    removeQuietly(channels, temporary);
    throw error;
  } finally {
    channels.writing.delete(name);
  }
}

interface Place {
  path: string;
  mode: number;
}

/** Where the file goes, behind symlinks, and with which mode. Refuses what must not be replaced. */
async function placeOf(session: SftpSession, asked: string, query: WriteQuery): Promise<Place> {
  let path = asked;
  let there = await look(session, path);
  if (there !== undefined && typeOf(there) === 'symlink' && query.overwrite !== false) {
    path = await explained(session, asked, () => session.realPath(asked));
    there = await look(session, path);
    if (there !== undefined && typeOf(there) === 'symlink') throw new Fault('invalid_path', `${asked} leads nowhere.`);
  }
  if (there !== undefined) await checkReplaceable(session, { path, there, overwrite: query.overwrite ?? true });
  const mode = query.mode === undefined ? undefined : Number.parseInt(query.mode, 8);
  return { path, mode: mode ?? (there === undefined ? defaultMode : there.mode & 0o7777) };
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

async function openTemporary(session: SftpSession, temporary: string, parents: boolean): Promise<Buffer> {
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

interface OpenTemporary {
  session: SftpSession;
  handle: Buffer;
  temporary: string;
}

/** Sends the body, many chunks under way at once, makes it durable and closes. @returns SHA-256, hexadecimal. */
async function fill(
  file: OpenTemporary,
  options: { body: AsyncIterable<Uint8Array>; signal?: AbortSignal; mode: number },
): Promise<string> {
  const { session, handle } = file;
  const underWay = new Set<Promise<void>>();
  let failed: unknown;
  let offset = 0;
  const send = async (bytes: Uint8Array) => {
    const written = session.write(handle, offset, bytes).catch((error: unknown) => {
      failed ??= error;
    });
    offset += bytes.length;
    noteContent(bytes.length);
    underWay.add(written);
    void written.then(() => underWay.delete(written));
    if (underWay.size * session.chunkBytes.write >= windowBytes) await Promise.race(underWay);
    if (failed !== undefined) throw failed;
  };
  try {
    const hash = createHash('sha256');
    for await (const chunk of chunked(untilAbort(options.body, options.signal), session.chunkBytes.write)) {
      hash.update(chunk);
      await send(chunk);
    }
    await Promise.all(underWay);
    if (failed !== undefined) throw failed;
    await Promise.all([session.setHandleMode(handle, options.mode), flush(session, handle)]);
    return hash.digest('hex');
  } catch (error) {
    throw await explain(session, error, file.temporary);
  } finally {
    session.close(handle).catch(() => {});
  }
}

/** The body, ended with the signal's reason even while the body has nothing to give. */
async function* untilAbort(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextPiece(pieces, signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // A body that hangs would keep this waiting for ever.
    pieces.return?.().catch(() => {});
  }
}

/** A promise and a listener of its own for each piece: a race against one that lives as long as the upload would keep every piece until its end. */
function nextPiece(
  pieces: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Uint8Array>>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  pieces
    .next()
    .then(resolve, reject)
    .finally(() => signal?.removeEventListener('abort', abort));
  return promise;
}

/**
 * Cuts and joins to chunks of `size` bytes. What it yields is good until the next is asked for only when the consumer
 * copies it, which the encoding of a packet does.
 */
async function* chunked(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const held = Buffer.allocUnsafeSlow(size);
  let count = 0;
  for await (const piece of body) {
    let at = 0;
    while (at < piece.length) {
      if (count === 0 && piece.length - at >= size) {
        yield piece.subarray(at, at + size);
        at += size;
        continue;
      }
      const take = Math.min(size - count, piece.length - at);
      held.set(piece.subarray(at, at + take), count);
      count += take;
      at += take;
      if (count < size) continue;
      yield held;
      count = 0;
    }
  }
  if (count > 0) yield held.subarray(0, count);
}

/** A file system that cannot flush (a FUSE one) is no reason to refuse the file. */
async function flush(session: SftpSession, handle: Buffer): Promise<void> {
  try {
    await session.flush(handle);
  } catch (error) {
    if (!isRefusal(error, statusCode.badMessage) && !isRefusal(error, statusCode.unsupported)) throw error;
  }
}

async function putInPlace(
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
async function flushFolder(session: SftpSession, folder: string): Promise<void> {
  const handle = await session.open(folder, openFlag.read).catch(() => undefined);
  if (handle === undefined) return;
  await flush(session, handle).catch(() => {});
  session.close(handle).catch(() => {});
}

/** Looks once through each folder that is written to. */
function sweepLater(channels: FileChannels, folder: string): void {
  if (!channels.noteSwept(folder)) return;
  void channels
    .session('quick')
    .then((session) => readFolder(session, folder))
    .then(
      (items) => sweep(channels, folder, items),
      () => {},
    );
}

function removeQuietly(channels: FileChannels, temporary: string): void {
  void channels.session('quick').then(
    (session) => session.remove(temporary).catch(() => {}),
    () => {},
  );
}
