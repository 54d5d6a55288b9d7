import { type Api, answerOf } from './api.ts';
import { AbortedError, ApiError, LeBureauError } from './faults.ts';
import { pause } from './pause.ts';
import { backoffMs } from './retry.ts';
import {
  sendInPieces,
  type Sliceable,
  type UploadCalls,
  type UploadSettings,
  type UploadState,
} from './sendInPieces.ts';
import type { WriteReceipt } from './types.ts';

export interface UploadOptions {
  /** Octal, e.g. `0755`. Default 0644, or that of the file replaced. */
  mode?: string | undefined;
  /** Make missing folders. Default true. */
  parents?: boolean | undefined;
  /** Default true. */
  overwrite?: boolean | undefined;
  /** Ends it; what the desktop has stays for a day, or until `cancelUpload`. */
  signal?: AbortSignal | undefined;
  /** Of each request. Default 60,000. */
  timeoutMs?: number | undefined;
  /** Failures one after the other, without progress, before it gives up. Default 30, some four minutes. */
  failuresMax?: number | undefined;
  /** Goes on with one that another process began, as `onUpload` told. */
  upload?: UploadState | undefined;
  /** Called with what the desktop has, each time that it told. */
  onUpload?: ((upload: UploadState) => void) | undefined;
}

/** To put a large file in its place may take its checksum first. */
const finishTimeoutMs = 660_000;
const failuresDefault = 30;

/** Sends a file that can be read more than once, and goes on by itself after a lost connection. */
export async function uploadFile(
  api: Api,
  to: { desktopId: string; path: string; source: Sliceable },
  options: UploadOptions,
): Promise<WriteReceipt> {
  try {
    return await sendInPieces(to.source, callsOf(api, to, options), {
      ...settingsOf(options),
      hash: newHash(),
    });
  } catch (error) {
    if (options.signal?.aborted && !(error instanceof LeBureauError))
      throw new AbortedError('The upload was aborted', { cause: error });
    throw error;
  }
}

function callsOf(
  api: Api,
  to: { desktopId: string; path: string; source: Sliceable },
  options: UploadOptions,
): UploadCalls<WriteReceipt> {
  const { mode, parents, overwrite } = options;
  const sizeBytes = to.source.size;
  // The loop around tries again, after it asked where the desktop is.
  const once = api.with({ signal: options.signal, timeoutMs: options.timeoutMs, retriesMax: 0 }, 'never');
  const patient = api.with({ signal: options.signal, timeoutMs: finishTimeoutMs, retriesMax: 0 }, 'never');
  const path = { desktopId: to.desktopId };
  return {
    create: () =>
      answerOf(
        api.client.POST('/v1/desktops/{desktopId}/files/uploads', {
          params: { path },
          body: { path: to.path, sizeBytes, ...given({ mode, parents, overwrite }) },
          ...once,
        }),
      ),
    get: (upload) =>
      answerOf(
        api.client.GET('/v1/desktops/{desktopId}/files/uploads/{uploadId}', {
          params: { path: { ...path, uploadId: upload.uploadId }, query: { path: upload.path } },
          ...once,
        }),
      ),
    async write(upload, bytes) {
      const at = `/v1/desktops/${encodeURIComponent(to.desktopId)}/files/uploads/${encodeURIComponent(upload.uploadId)}`;
      const response = await api.transport.send({
        method: 'PUT',
        url: api.url(at, { path: upload.path, offset: upload.receivedBytes }),
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
        options: { signal: options.signal, timeoutMs: options.timeoutMs, retriesMax: 0 },
        retry: 'never',
      });
      return (await response.json()) as UploadState;
    },
    finish: (upload, sha256) =>
      answerOf(
        api.client.POST('/v1/desktops/{desktopId}/files/uploads/{uploadId}/finish', {
          params: { path: { ...path, uploadId: upload.uploadId } },
          body: { path: upload.path, sizeBytes, ...given({ mode, overwrite, sha256 }) },
          ...patient,
        }),
      ),
  };
}

function settingsOf(options: UploadOptions): UploadSettings {
  const failuresMax = options.failuresMax ?? failuresDefault;
  return {
    signal: options.signal,
    upload: options.upload,
    onUpload: options.onUpload,
    async afterFailure(error, failures) {
      const mayPass =
        error instanceof LeBureauError &&
        !(error instanceof AbortedError) &&
        (!(error instanceof ApiError) ||
          error.retryable ||
          error.code === 'range_not_satisfiable' ||
          (error.problem.retryable === undefined && error.status >= 500));
      if (!mayPass || failures >= failuresMax) throw error;
      const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
      await pause(Math.min(60_000, asked ?? backoffMs(failures)), options.signal);
    },
  };
}

function given<Values extends object>(values: Values): { [Name in keyof Values]?: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** The runtime's, where it has one that can be fed piece by piece: browsers have none. */
function newHash(): UploadSettings['hash'] {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const crypto = process?.getBuiltinModule?.('node:crypto') as
    | { createHash(name: string): NonNullable<UploadSettings['hash']> }
    | undefined;
  return crypto?.createHash('sha256');
}
