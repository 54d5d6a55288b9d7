import { createHash } from 'node:crypto';
import type { components } from '@lebureau/openapi/node';
import type { FileChannels } from './channels.ts';
import { ContentWriter } from './contentWriter.ts';
import { explain, explained } from './explain.ts';
import { temporaryName } from './leftovers.ts';
import { entryAt } from './list.ts';
import { folderOf, joinPath, resolveEntryPath } from './path.ts';
import { flush, flushFolder, openTemporary, placeOf, type PlaceWish, putInPlace } from './place.ts';
import type { SftpSession } from './sftpSession.ts';
import { sweepLater } from './sweepLater.ts';

export interface WriteQuery extends PlaceWish {
  path: string;
  /** Default true. */
  parents?: boolean;
}

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

interface OpenTemporary {
  session: SftpSession;
  handle: Buffer;
  temporary: string;
}

/** Sends the body, makes it durable and closes. @returns SHA-256, hexadecimal. */
async function fill(
  file: OpenTemporary,
  options: { body: AsyncIterable<Uint8Array>; signal?: AbortSignal; mode: number },
): Promise<string> {
  const { session, handle } = file;
  try {
    const hash = createHash('sha256');
    await new ContentWriter(file).send(options.body, { signal: options.signal, hash });
    await Promise.all([session.setHandleMode(handle, options.mode), flush(session, handle)]);
    return hash.digest('hex');
  } catch (error) {
    throw await explain(session, error, file.temporary);
  } finally {
    session.close(handle).catch(() => {});
  }
}

function removeQuietly(channels: FileChannels, temporary: string): void {
  void channels.session('quick').then(
    (session) => session.remove(temporary).catch(() => {}),
    () => {},
  );
}
