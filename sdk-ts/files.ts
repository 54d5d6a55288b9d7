import { type Api, answerOf } from './api.ts';
import { ApiPromise } from './apiPromise.ts';
import { type UploadSource, uploadBody } from './body.ts';
import { UnsupportedError } from './generated/errorClasses.ts';
import { PagePromise } from './page.ts';
import { piecesOf, type Sliceable, type UploadState } from './sendInPieces.ts';
import type { CallOptions } from './transport.ts';
import type { FileEntry, WriteReceipt } from './types.ts';
import { uploadFile, type UploadOptions } from './upload.ts';

export interface WriteOptions extends CallOptions {
  /** Octal, e.g. `0755`. Default 0644, or that of the file replaced. */
  mode?: string | undefined;
  /** Make missing folders. Default true. */
  parents?: boolean | undefined;
  /** Default true. */
  overwrite?: boolean | undefined;
  /** Called with the number of bytes handed to the network so far. */
  onProgress?: ((sentBytes: number) => void) | undefined;
}

export interface ReadOptions extends CallOptions {
  /** First byte. Default 0. */
  offset?: number | undefined;
  /** At most so many bytes. Default: to the end. */
  maxBytes?: number | undefined;
}

/** The files of one desktop. Paths are absolute, or relative to the home folder of `agent`. */
export class Files {
  readonly #api: Api;
  readonly #path: { desktopId: string };
  readonly #contentPath: string;

  constructor(api: Api, desktopId: string) {
    this.#api = api;
    this.#path = { desktopId };
    this.#contentPath = `/v1/desktops/${encodeURIComponent(desktopId)}/files/content`;
  }

  /** A folder, by name. Default: the home folder. */
  list(path?: string, query: { limit?: number } = {}, options?: CallOptions): PagePromise<FileEntry> {
    return new PagePromise((cursor) => {
      const all = { ...query, ...(path === undefined ? {} : { path }), ...(cursor === undefined ? {} : { cursor }) };
      const call = this.#api.client.GET('/v1/desktops/{desktopId}/files', {
        params: { path: this.#path, query: all },
        ...this.#api.with(options),
      });
      return answerOf(call).withResponse();
    });
  }

  stat(path: string, options?: CallOptions): ApiPromise<FileEntry> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/files/stat', {
        params: { path: this.#path, query: { path } },
        ...this.#api.with(options),
      }),
    );
  }

  /** A file as a stream of any length, in constant memory. */
  async stream(path: string, options: ReadOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return bodyOf((await this.#read(path, options, true)).body);
  }

  /** A file in memory. Use `stream` for a large one. */
  async bytes(path: string, options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.#read(path, options, true);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** A file in memory as UTF-8 text. */
  async text(path: string, options: ReadOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.bytes(path, options));
  }

  /**
   * Writes a file whole or not at all, in constant memory when the source is a Blob, a stream or an iterable.
   * A stream or iterable is never sent twice: a failure reaches the caller.
   */
  write(path: string, source: UploadSource, options: WriteOptions = {}): ApiPromise<WriteReceipt> {
    const { mode, parents, overwrite, onProgress, ...call } = options;
    const { body, replayable } = uploadBody(source);
    const sent = this.#api.transport.send({
      method: 'PUT',
      url: this.#api.url(this.#contentPath, { path, mode, parents, overwrite }),
      headers: { 'content-type': 'application/octet-stream' },
      body: onProgress ? counted(body, onProgress) : body,
      options: { timeoutMs: 0, ...call },
      retry: replayable && !onProgress ? 'any' : 'never',
    });
    return new ApiPromise(
      sent.then(async (response) => ({
        data: (await response.json()) as WriteReceipt,
        response,
        requestId: response.headers.get('x-request-id'),
      })),
    );
  }

  /**
   * Writes a file that can be read more than once, in pieces: after a lost connection or a restart of the service it goes on
   * where the desktop is. The file appears whole, at the end. For a file on disk: `await openAsBlob(path)` of `node:fs`.
   */
  async upload(
    path: string,
    source: Sliceable | Uint8Array<ArrayBuffer> | ArrayBuffer | string,
    options: UploadOptions = {},
  ): Promise<WriteReceipt> {
    const parts = typeof source === 'string' || !('size' in source) ? new Blob([source]) : source;
    try {
      return await uploadFile(this.#api, { ...this.#path, path, source: parts }, options);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      // A node of before this: whole, in one request.
      const { mode, parents, overwrite, signal } = options;
      return await this.write(path, piecesOf(parts), { mode, parents, overwrite, signal });
    }
  }

  /** Removes what came in of an upload that nobody will go on with. */
  cancelUpload(upload: UploadState, options?: CallOptions): ApiPromise<void> {
    return answerOf(
      this.#api.client.DELETE('/v1/desktops/{desktopId}/files/uploads/{uploadId}', {
        params: { path: { ...this.#path, uploadId: upload.uploadId }, query: { path: upload.path } },
        ...this.#api.with(options),
      }),
    ).map(() => undefined);
  }

  makeDirectory(
    path: string,
    body: { parents?: boolean; mode?: string } = {},
    options?: CallOptions,
  ): ApiPromise<FileEntry> {
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/files/directories', {
        params: { path: this.#path },
        body: { path, ...body },
        ...this.#api.with(options),
      }),
    );
  }

  move(from: string, to: string, options: { overwrite?: boolean } & CallOptions = {}): ApiPromise<FileEntry> {
    const { overwrite, ...call } = options;
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/files/move', {
        params: { path: this.#path },
        body: { from, to, ...(overwrite === undefined ? {} : { overwrite }) },
        ...this.#api.with(call, 'refused'),
      }),
    );
  }

  /** A folder with what is in it only with `recursive`. */
  delete(path: string, options: { recursive?: boolean } & CallOptions = {}): ApiPromise<void> {
    const { recursive, ...call } = options;
    const query = { path, ...(recursive === undefined ? {} : { recursive }) };
    return answerOf(
      this.#api.client.DELETE('/v1/desktops/{desktopId}/files', {
        params: { path: this.#path, query },
        ...this.#api.with(call),
      }),
    ).map(() => undefined);
  }

  #read(path: string, options: ReadOptions, streamed: boolean): Promise<Response> {
    const { offset, maxBytes, ...call } = options;
    const headers: Record<string, string> = { accept: 'application/octet-stream' };
    if (offset !== undefined || maxBytes !== undefined) {
      const from = offset ?? 0;
      headers.range = `bytes=${from}-${maxBytes === undefined ? '' : from + maxBytes - 1}`;
    }
    const url = this.#api.url(this.#contentPath, { path });
    return this.#api.transport.send({ method: 'GET', url, headers, options: call, retry: 'any', streamed });
  }
}

function bodyOf(body: ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> {
  return body ?? new ReadableStream({ start: (controller) => controller.close() });
}

function counted(
  body: Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>,
  onProgress: (sentBytes: number) => void,
): ReadableStream<Uint8Array> {
  let sentBytes = 0;
  const source = body instanceof ReadableStream ? body : new Blob([body]).stream();
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        sentBytes += chunk.byteLength;
        onProgress(sentBytes);
        controller.enqueue(chunk);
      },
    }),
  );
}
