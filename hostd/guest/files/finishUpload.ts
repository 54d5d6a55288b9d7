import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { FileChannels } from './channels.ts';
import { typeOf } from './entry.ts';
import { explained, look } from './explain.ts';
import { entryAt } from './list.ts';
import { folderOf } from './path.ts';
import { flush, flushFolder, placeOf, putInPlace, type PlaceWish } from './place.ts';
import { openFlag } from './sftpPacket.ts';
import type { SftpSession } from './sftpSession.ts';
import { elsewhere, findUpload, receivedOf, type UploadFile } from './uploads.ts';

type WriteReceipt = components['schemas']['WriteReceipt'];

interface Finish extends PlaceWish {
  uploadId: string;
  path: string;
  sizeBytes: number;
  /** Of the whole, as the sender knows it. */
  sha256?: string;
}

const checksumTimeoutMs = 600_000;

/**
 * Puts a whole upload in its place: checked, flushed, then renamed. Nothing but the whole is ever seen there. Said again
 * after an answer that was lost it answers the same; when hostd was started anew in between, only with the checksum. Once
 * begun it comes to its end, whoever has gone; who goes while waiting for another's turn has asked for nothing.
 * @throws Fault range_not_satisfiable when bytes are missing; invalid_request when they are others, and then it is gone
 */
export async function finishUpload(channels: FileChannels, ask: Finish, signal: AbortSignal): Promise<WriteReceipt> {
  const upload = await findUpload(channels, ask);
  return channels.uploads.exclusively(upload.name, async () => {
    if (signal.aborted) throw new Fault('timeout', 'The client went away.');
    const session = await channels.session('bulk');
    const done = await receiptOfDone(channels, session, { ask, upload });
    if (done !== undefined) return done;
    const { receivedBytes } = await receivedOf(channels, session, upload);
    if (receivedBytes !== ask.sizeBytes) throw elsewhere(receivedBytes, `finish it when it has its ${ask.sizeBytes}`);
    const { mode } = await placeOf(session, upload.path, ask);
    channels.writing.add(upload.name);
    try {
      const sha256 = await checksumOf(channels, session, upload);
      if (ask.sha256 !== undefined && ask.sha256 !== sha256) await refuse(channels, session, upload);
      await makeDurable(session, upload.temporary, mode);
      await explained(session, upload.path, () =>
        putInPlace(session, upload.temporary, { path: upload.path, isNew: ask.overwrite === false }),
      );
      await flushFolder(session, folderOf(upload.path));
      const entry = await explained(session, upload.path, () => entryAt(session, upload.path));
      channels.uploads.forget(upload.name);
      channels.uploads.keepReceipt(upload.name, { entry, sha256 });
      return { entry, sha256 };
    } finally {
      channels.writing.delete(upload.name);
    }
  });
}

async function refuse(channels: FileChannels, session: SftpSession, upload: UploadFile): Promise<never> {
  channels.uploads.forget(upload.name);
  await session.remove(upload.temporary).catch(() => {});
  throw new Fault('invalid_request', 'The checksum differs: what came in is not what was to be sent.', {
    hint: 'Begin the upload anew.',
  });
}

/** What it answered before: the upload is gone, and in its place lies just what was to come there. */
async function receiptOfDone(
  channels: FileChannels,
  session: SftpSession,
  { ask, upload }: { ask: Finish; upload: UploadFile },
): Promise<WriteReceipt | undefined> {
  if ((await look(session, upload.temporary)) !== undefined) return undefined;
  const known = channels.uploads.receipt(upload.name);
  if (known?.entry.path === upload.path) return known;
  const there = await look(session, upload.path);
  if (ask.sha256 === undefined || there === undefined) return undefined;
  if (typeOf(there) !== 'file' || there.sizeBytes !== ask.sizeBytes) return undefined;
  if ((await checksumInGuest(channels, upload.path)) !== ask.sha256) return undefined;
  return { entry: await explained(session, upload.path, () => entryAt(session, upload.path)), sha256: ask.sha256 };
}

async function makeDurable(session: SftpSession, temporary: string, mode: number): Promise<void> {
  await explained(session, temporary, async () => {
    const handle = await session.open(temporary, openFlag.write);
    try {
      await Promise.all([session.setHandleMode(handle, mode), flush(session, handle)]);
    } finally {
      session.close(handle).catch(() => {});
    }
  });
}

/** Known from what passed through here, or else made in the guest. */
async function checksumOf(channels: FileChannels, session: SftpSession, upload: UploadFile): Promise<string> {
  const { receivedBytes: bytes } = await receivedOf(channels, session, upload);
  const hash = channels.uploads.takeHash(upload.name, bytes, session);
  if (hash === undefined) return checksumInGuest(channels, upload.temporary);
  channels.uploads.keepHash(upload.name, { hash, bytes, session });
  return hash.copy().digest('hex');
}

async function checksumInGuest(channels: FileChannels, path: string): Promise<string> {
  const init = await channels.parts.init();
  const result = await init.exec({
    argv: ['sha256sum', '--', path],
    user: 'agent',
    cwd: '/',
    env: { LC_ALL: 'C' },
    timeoutMs: checksumTimeoutMs,
    outputMaxBytes: 8192,
  });
  // A name with a line break is written with a backslash before the line.
  const sum = /^\\?([0-9a-f]{64}) /.exec(Buffer.from(result.stdout).toString())?.[1];
  if (sum !== undefined) return sum;
  throw new Fault('guest_unreachable', 'The guest did not tell the checksum of the upload.', {
    cause: new Error(Buffer.from(result.stderr).toString().slice(0, 500)),
  });
}
