import type { components } from '@lebureau/openapi/node';
import { deleteFile } from '../files/delete.ts';
import { makeDirectory } from '../files/folders.ts';
import { listFiles, statFile } from '../files/list.ts';
import { moveFile } from '../files/move.ts';
import { readFile } from '../files/read.ts';
import { finishUpload } from '../files/finishUpload.ts';
import { cancelUpload, createUpload, getUpload, writeUpload } from '../files/uploads.ts';
import { writeFile } from '../files/write.ts';
import { answer, noContent, required, truth, wholeNumber, type GuestHandlers } from './operation.ts';

type Schemas = components['schemas'];

/** Files of the guest. */
export const fileHandlers: GuestHandlers = {
  listFiles: async (guest, { query }) => {
    const ask = {
      path: query.get('path') ?? undefined,
      limit: wholeNumber(query, 'limit'),
      cursor: query.get('cursor') ?? undefined,
    };
    return answer(await listFiles(await guest.files(), ask));
  },
  statFile: async (guest, { query }) => answer(await statFile(await guest.files(), { path: required(query, 'path') })),
  readFile: async (guest, { query, headers, signal }) => {
    const range = headers.get('range') ?? undefined;
    const content = await readFile(await guest.files(), { path: required(query, 'path') }, { range, signal });
    const { firstByte, lengthBytes, isPart, entry } = content;
    const contentRange = `bytes ${firstByte}-${firstByte + lengthBytes - 1}/${entry.sizeBytes}`;
    return new Response(content.body, {
      status: isPart ? 206 : 200,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(lengthBytes),
        'accept-ranges': 'bytes',
        ...(isPart ? { 'content-range': contentRange } : {}),
      },
    });
  },
  writeFile: async (guest, call) => {
    const { query, signal } = call;
    const ask = {
      path: required(query, 'path'),
      mode: query.get('mode') ?? undefined,
      parents: truth(query, 'parents'),
      overwrite: truth(query, 'overwrite'),
    };
    return answer(await writeFile(await guest.files(), ask, { body: call.stream(), signal }));
  },
  createUpload: async (guest, call) =>
    answer(await createUpload(await guest.files(), await call.json<Schemas['UploadBody']>()), 201),
  getUpload: async (guest, { query, params }) =>
    answer(await getUpload(await guest.files(), { uploadId: params['uploadId']!, path: required(query, 'path') })),
  writeUpload: async (guest, call) => {
    const { query, params, signal } = call;
    const ask = {
      uploadId: params['uploadId']!,
      path: required(query, 'path'),
      offset: wholeNumber(query, 'offset') ?? 0,
    };
    return answer(await writeUpload(await guest.files(), ask, { body: call.stream(), signal }));
  },
  finishUpload: async (guest, call) => {
    const body = await call.json<Schemas['FinishUploadBody']>();
    return answer(
      await finishUpload(await guest.files(), { ...body, uploadId: call.params['uploadId']! }, call.signal),
    );
  },
  cancelUpload: async (guest, { query, params }) => {
    await cancelUpload(await guest.files(), { uploadId: params['uploadId']!, path: required(query, 'path') });
    return noContent();
  },
  makeDirectory: async (guest, call) =>
    answer(await makeDirectory(await guest.files(), await call.json<Schemas['DirectoryBody']>()), 201),
  moveFile: async (guest, call) => answer(await moveFile(await guest.files(), await call.json<Schemas['MoveBody']>())),
  deleteFile: async (guest, { query, signal }) => {
    await deleteFile(
      await guest.files(),
      { path: required(query, 'path'), recursive: truth(query, 'recursive') },
      signal,
    );
    return noContent();
  },
};
