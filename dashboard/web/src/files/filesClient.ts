import { client, dataOf } from '../client.ts';
import { session } from '../session.ts';
import { allPages } from '../ui/allPages.ts';

export interface FileEntry {
  name: string;
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  modifiedAt: string;
  linkTarget: string | null;
}

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
    await this.upload(path, new Blob([text]), { overwrite: true, onProgress: () => undefined });
  }

  /** By XMLHttpRequest, which is the only one that tells how far an upload is. */
  upload(
    path: string,
    file: Blob,
    how: { overwrite: boolean; onProgress: (share: number) => void; signal?: AbortSignal },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('PUT', `${this.contentUrl(path)}&overwrite=${how.overwrite}`);
      request.setRequestHeader('Content-Type', 'application/octet-stream');
      request.setRequestHeader('X-CSRF-Token', session.get()?.csrfToken ?? '');
      request.upload.addEventListener('progress', (event) => how.onProgress(event.loaded / Math.max(1, event.total)));
      request.addEventListener('load', () =>
        request.status < 300 ? resolve() : reject(new UploadRefused(request.status, request.responseText)),
      );
      request.addEventListener('error', () => reject(new Error('the network failed')));
      request.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      how.signal?.addEventListener('abort', () => request.abort());
      request.send(file);
    });
  }

  get #at(): { desktopId: string } {
    return { desktopId: this.#desktopId };
  }
}

/** The API said no: sending it again changes nothing. */
export class UploadRefused extends Error {
  readonly code: string;

  constructor(status: number, body: string) {
    const problem = parse(body);
    super(problem.detail ?? `The service answered ${status}.`);
    this.code = problem.code ?? '';
  }
}

function parse(body: string): { code?: string; detail?: string } {
  try {
    return JSON.parse(body) as { code?: string; detail?: string };
  } catch {
    return {};
  }
}
