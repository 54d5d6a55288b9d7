import type { UploadCalls, UploadState } from '@lebureau/sdk/sendInPieces';
import { client, dataOf } from '../client.ts';
import { allPages } from '../ui/allPages.ts';

export interface FileEntry {
  name: string;
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  modifiedAt: string;
  linkTarget: string | null;
}

const callMs = 60_000;
/** It may take the checksum of a large file. */
const finishMs = 660_000;

/** Files of one desktop. */
export class FilesClient {
  readonly #desktopId: string;

  constructor(desktopId: string) {
    this.#desktopId = desktopId;
  }

  /** Folders first, then by name. @throws ApiProblem */
  async list(path: string): Promise<FileEntry[]> {
    const params = { path: this.#at, query: { path, limit: 1000 } };
    const entries = (await allPages(
      (cursor) =>
        client.GET('/v1/desktops/{desktopId}/files', {
          params: { ...params, query: { ...params.query, cursor } },
        }) as never,
    )) as FileEntry[];
    const rank = (entry: FileEntry) => (entry.type === 'directory' ? 0 : 1);
    return entries.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  }

  stat(path: string): Promise<FileEntry> {
    return dataOf(
      client.GET('/v1/desktops/{desktopId}/files/stat', { params: { path: this.#at, query: { path } } }),
    ) as Promise<FileEntry>;
  }

  makeFolder(path: string): Promise<unknown> {
    return dataOf(
      client.POST('/v1/desktops/{desktopId}/files/directories', { params: { path: this.#at }, body: { path } }),
    );
  }

  move(from: string, to: string): Promise<unknown> {
    return dataOf(
      client.POST('/v1/desktops/{desktopId}/files/move', { params: { path: this.#at }, body: { from, to } }),
    );
  }

  remove(path: string): Promise<unknown> {
    return dataOf(
      client.DELETE('/v1/desktops/{desktopId}/files', { params: { path: this.#at, query: { path, recursive: true } } }),
    );
  }

  contentUrl(path: string): string {
    return `/v1/desktops/${this.#desktopId}/files/content?path=${encodeURIComponent(path)}`;
  }

  /** Reads at most `bytesMax`. */
  async read(path: string, bytesMax: number): Promise<Blob> {
    const response = await fetch(this.contentUrl(path), { headers: { Range: `bytes=0-${bytesMax - 1}` } });
    if (!response.ok && response.status !== 416) throw new Error(`reading failed (${response.status})`);
    return response.status === 416 ? new Blob() : response.blob();
  }

  async writeText(path: string, text: string): Promise<void> {
    await this.write(path, new Blob([text]));
  }

  /** In one request: whole or not at all. */
  async write(path: string, content: Blob, signal?: AbortSignal): Promise<void> {
    await dataOf(
      client.PUT('/v1/desktops/{desktopId}/files/content', {
        params: { path: this.#at, query: { path } },
        ...octets(content),
        signal: signal ?? null,
      }),
    );
  }

  /** The calls of an upload in pieces. Each ends after a minute, for a connection may be dead without a word. */
  uploadCalls(path: string, how: { sizeBytes: number; signal: AbortSignal }): UploadCalls<unknown> {
    const { sizeBytes } = how;
    const within = (ms: number) => ({ signal: AbortSignal.any([how.signal, AbortSignal.timeout(ms)]) });
    return {
      create: () =>
        dataOf(
          client.POST('/v1/desktops/{desktopId}/files/uploads', {
            params: { path: this.#at },
            body: { path, sizeBytes },
            ...within(callMs),
          }),
        ),
      get: (upload) => this.getUpload(upload, within(callMs).signal),
      write: (upload, bytes) => {
        const { path: at, query } = this.#of(upload);
        return dataOf(
          client.PUT('/v1/desktops/{desktopId}/files/uploads/{uploadId}', {
            params: { path: at, query: { ...query, offset: upload.receivedBytes } },
            ...octets(new Blob([bytes])),
            ...within(callMs),
          }),
        );
      },
      finish: (upload, sha256) =>
        dataOf(
          client.POST('/v1/desktops/{desktopId}/files/uploads/{uploadId}/finish', {
            params: { path: this.#of(upload).path },
            body: { path: upload.path, sizeBytes, ...(sha256 && { sha256 }) },
            ...within(finishMs),
          }),
        ),
    };
  }

  /** What the desktop has of it. @throws ApiProblem 404 when that is gone */
  getUpload(upload: UploadState, signal = AbortSignal.timeout(callMs)): Promise<UploadState> {
    return dataOf(
      client.GET('/v1/desktops/{desktopId}/files/uploads/{uploadId}', { params: this.#of(upload), signal }),
    );
  }

  async cancelUpload(upload: UploadState): Promise<void> {
    await client.DELETE('/v1/desktops/{desktopId}/files/uploads/{uploadId}', { params: this.#of(upload) });
  }

  #of({ uploadId, path }: UploadState) {
    return { path: { ...this.#at, uploadId }, query: { path } };
  }

  get #at(): { desktopId: string } {
    return { desktopId: this.#desktopId };
  }
}

/** The contract calls them a string, and nothing is to be made of them. */
function octets(content: Blob) {
  return {
    body: content as unknown as string,
    bodySerializer: (body: unknown) => body as Blob,
    headers: { 'Content-Type': 'application/octet-stream' },
  };
}
