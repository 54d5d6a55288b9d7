import { createHash } from 'node:crypto';
import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { components } from '@lebureau/openapi/node';
import type { FileChannels } from './channels.ts';
import { ContentWriter } from './contentWriter.ts';
import { typeOf } from './entry.ts';
import { explain, explained, look } from './explain.ts';
import { uploadExpiryMs, uploadName } from './leftovers.ts';
import { folderOf, joinPath, resolveEntryPath } from './path.ts';
import { behindLinks, flush, openTemporary, placeOf, type PlaceWish } from './place.ts';
import { openFlag } from './sftpPacket.ts';
import type { SftpSession } from './sftpSession.ts';
import { sweepLater } from './sweepLater.ts';

type Upload = components['schemas']['Upload'];

/** An upload in the guest: a file beside the place of the one that it becomes. */
export interface UploadFile {
  uploadId: string;
  /** The place, behind symlinks. */
  path: string;
  name: string;
  temporary: string;
}

interface Ask {
  uploadId: string;
  path: string;
}

/**
 * Begins an upload that may be sent in pieces and go on after a broken connection, or after hostd itself broke: all that is
 * needed of it is a file in the guest, and its size says where to go on. It is swept a day after it was last written to.
 */
export async function createUpload(
  channels: FileChannels,
  wish: PlaceWish & { path: string; sizeBytes?: number; parents?: boolean },
): Promise<Upload> {
  const session = await channels.session('quick');
  const nowMs = channels.parts.clock.nowMs();
  const place = await placeOf(session, resolveEntryPath(wish.path, channels.home), wish);
  const upload = uploadAt(place.path, newId('upl', nowMs));
  const { name, temporary } = upload;
  const begun = { temporary, expiresMs: uploadExpiryMs(upload.uploadId, nowMs) };
  for (const old of channels.uploads.begin(name, begun, nowMs)) session.remove(old).catch(() => {});
  try {
    await session.close(await openTemporary(session, temporary, wish.parents ?? true));
    await demandRoom(session, upload, wish.sizeBytes ?? 0);
  } catch (error) {
    channels.uploads.forget(name);
    session.remove(temporary).catch(() => {});
    throw error;
  }
  sweepLater(channels, folderOf(upload.path));
  return answerOf(upload, { receivedBytes: 0, writtenMs: nowMs });
}

/** How much of it the guest has. @throws Fault file_not_found */
export async function getUpload(channels: FileChannels, ask: Ask): Promise<Upload> {
  const upload = await findUpload(channels, ask);
  return answerOf(upload, await receivedOf(channels, await channels.session('quick'), upload));
}

/**
 * Goes on with it at `offset`, which must be where the guest is. What came before a body broke stays. Whoever still writes
 * it is ended first. Its answer means: the guest has these bytes on its disk.
 * @throws Fault range_not_satisfiable with the right place
 */
export async function writeUpload(
  channels: FileChannels,
  ask: Ask & { offset: number },
  options: { body: AsyncIterable<Uint8Array>; signal?: AbortSignal },
): Promise<Upload> {
  const upload = await findUpload(channels, ask);
  return channels.uploads.exclusively(upload.name, async (stop) => {
    const session = await channels.session('bulk');
    const { receivedBytes } = await receivedOf(channels, session, upload);
    if (ask.offset !== receivedBytes) throw elsewhere(receivedBytes, `go on at ${receivedBytes}`);
    const signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    const received = await append(channels, { session, upload, receivedBytes }, { ...options, signal });
    const writtenMs = channels.parts.clock.nowMs();
    const expiresMs = uploadExpiryMs(upload.uploadId, writtenMs);
    channels.uploads.renew(upload.name, { temporary: upload.temporary, expiresMs });
    return answerOf(upload, { receivedBytes: received, writtenMs });
  });
}

/** Forgets it and what came in of it. One that is gone already is no error. */
export async function cancelUpload(channels: FileChannels, ask: Ask): Promise<void> {
  const upload = await findUpload(channels, ask);
  await channels.uploads.exclusively(upload.name, async () => {
    const session = await channels.session('quick');
    if ((await look(session, upload.temporary)) !== undefined)
      await explained(session, upload.temporary, () => session.remove(upload.temporary));
    channels.uploads.forget(upload.name);
  });
}

export async function findUpload(channels: FileChannels, { uploadId, path }: Ask): Promise<UploadFile> {
  const session = await channels.session('quick');
  return uploadAt((await behindLinks(session, resolveEntryPath(path, channels.home))).path, uploadId);
}

function uploadAt(path: string, uploadId: string): UploadFile {
  const name = uploadName(uploadId);
  return { uploadId, path, name, temporary: joinPath(folderOf(path), name) };
}

interface Received {
  receivedBytes: number;
  writtenMs: number;
}

/** @throws Fault file_not_found */
export async function receivedOf(channels: FileChannels, session: SftpSession, upload: UploadFile): Promise<Received> {
  const there = await look(session, upload.temporary);
  if (there === undefined || typeOf(there) !== 'file')
    throw new Fault('file_not_found', 'There is no such upload: it was finished, cancelled, or left for a day.', {
      hint: 'Begin it anew.',
    });
  const receivedBytes = Math.min(there.sizeBytes, channels.uploads.goodBytes(upload.name) ?? there.sizeBytes);
  return { receivedBytes, writtenMs: there.modifiedSeconds * 1000 };
}

export function elsewhere(receivedBytes: number, next: string): Fault {
  return new Fault('range_not_satisfiable', `The guest has ${receivedBytes} bytes of this upload; ${next}.`, {
    members: { sizeBytes: receivedBytes },
  });
}

/** @returns how much the guest has then */
async function append(
  channels: FileChannels,
  to: { session: SftpSession; upload: UploadFile; receivedBytes: number },
  options: { body: AsyncIterable<Uint8Array>; signal: AbortSignal },
): Promise<number> {
  const { session, receivedBytes } = to;
  const { name, temporary } = to.upload;
  const { uploads } = channels;
  const hash = receivedBytes === 0 ? createHash('sha256') : uploads.takeHash(name, receivedBytes, session);
  const handle = await explained(session, temporary, () => session.open(temporary, openFlag.write));
  const writer = new ContentWriter({ session, handle }, receivedBytes);
  channels.writing.add(name);
  try {
    if (uploads.goodBytes(name) !== undefined) await session.setHandleSize(handle, receivedBytes);
    uploads.noteGoodBytes(name, undefined);
    await writer.send(options.body, { signal: options.signal, hash });
    await flush(session, handle);
    return writer.goodBytes;
  } catch (error) {
    await writer.settled();
    // Behind a chunk that was refused others may have been taken: what counts as there must be there without a hole.
    if (writer.hasFailed) {
      uploads.noteGoodBytes(name, writer.goodBytes);
      await session.setHandleSize(handle, writer.goodBytes).then(
        () => uploads.noteGoodBytes(name, undefined),
        () => {},
      );
    }
    throw await explain(session, error, temporary);
  } finally {
    channels.writing.delete(name);
    if (hash !== undefined && !writer.hasFailed) uploads.keepHash(name, { hash, bytes: writer.goodBytes, session });
    await session.close(handle).catch(() => {});
  }
}

/** Said at the beginning, not after an hour of sending. */
async function demandRoom(session: SftpSession, upload: UploadFile, sizeBytes: number): Promise<void> {
  const facts = await session.fileSystem(upload.temporary).catch(() => undefined);
  if (facts === undefined || facts.blocksFree * facts.blockBytes >= sizeBytes) return;
  const freeBytes = facts.blocksFree * facts.blockBytes;
  throw new Fault('disk_full', `The file has ${sizeBytes} bytes and the disk of the desktop ${freeBytes} free.`);
}

function answerOf(upload: UploadFile, { receivedBytes, writtenMs }: Received): Upload {
  const { uploadId, path } = upload;
  return { uploadId, path, receivedBytes, expiresAt: toRfc3339(uploadExpiryMs(uploadId, writtenMs)) };
}
