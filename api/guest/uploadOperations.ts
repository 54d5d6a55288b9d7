import { t } from '../http/schema.ts';
import * as files from './fileSchema.ts';
import type { GuestOperation } from './guestOperation.ts';

const params = t.Object({ uploadId: files.UploadId });
const query = t.Object({ path: files.Path });
const base = { capability: 'files:write', bucket: 'files', younger: true } as const;

/** A file in pieces: begun, written from where the guest is, finished. What a broken connection left is gone on with. */
export const uploadOperations: GuestOperation[] = [
  {
    ...base,
    operationId: 'createUpload',
    method: 'POST',
    path: '/files/uploads',
    summary: 'Begin an upload that can be resumed',
    body: files.UploadBody,
    response: files.Upload,
    status: 201,
  },
  {
    ...base,
    operationId: 'getUpload',
    method: 'GET',
    path: '/files/uploads/:uploadId',
    summary: 'See how much of an upload the guest has',
    params,
    query,
    response: files.Upload,
  },
  {
    ...base,
    operationId: 'writeUpload',
    method: 'PUT',
    path: '/files/uploads/:uploadId',
    summary: 'Go on with an upload: any number of bytes from `offset` on',
    params,
    query: t.Object({
      path: files.Path,
      offset: t.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: '`receivedBytes`. Another one is 416 with the right one as `sizeBytes`.',
      }),
    }),
    body: 'octets',
    response: files.Upload,
    problems: ['range_not_satisfiable'],
  },
  {
    ...base,
    operationId: 'finishUpload',
    method: 'POST',
    path: '/files/uploads/:uploadId/finish',
    summary: 'Finish an upload: from then on the file is there, whole',
    params,
    body: files.FinishUploadBody,
    response: files.WriteReceipt,
    problems: ['range_not_satisfiable'],
    slow: true,
  },
  {
    ...base,
    operationId: 'cancelUpload',
    method: 'DELETE',
    path: '/files/uploads/:uploadId',
    summary: 'Cancel an upload and remove what came in of it',
    params,
    query,
    response: 'nothing',
  },
];
