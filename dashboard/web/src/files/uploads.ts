import { map } from 'nanostores';
import { FilesClient, UploadRefused } from './filesClient.ts';

export interface Upload {
  id: string;
  desktopId: string;
  path: string;
  name: string;
  /** 0 to 1. */
  share: number;
  state: 'waiting' | 'running' | 'done' | 'failed';
  problem?: string;
}

/** All uploads of this page; they go on while other pages are looked at. */
export const uploads = map<Record<string, Upload>>({});

const triesMax = 5;
const jobs = new Map<string, { file: Blob; stop: AbortController }>();
let running: Promise<void> = Promise.resolve();

/** One after the other: two at once are no quicker, and the first is whole sooner. */
export function startUpload(wish: { desktopId: string; path: string; name: string; file: Blob }): Promise<void> {
  const id = crypto.randomUUID();
  const { file, ...rest } = wish;
  uploads.setKey(id, { ...rest, id, share: 0, state: 'waiting' });
  jobs.set(id, { file, stop: new AbortController() });
  running = running.then(() => carryOut(id));
  return running;
}

export function cancelUpload(id: string): void {
  jobs.get(id)?.stop.abort();
  jobs.delete(id);
  const { [id]: _gone, ...rest } = uploads.get();
  uploads.set(rest);
}

/** A network that went away is waited for, and the file sent again: it is written whole or not at all. */
async function carryOut(id: string): Promise<void> {
  const job = jobs.get(id);
  const upload = uploads.get()[id];
  if (!job || !upload) return;
  const change = (to: Partial<Upload>) => uploads.get()[id] && uploads.setKey(id, { ...uploads.get()[id]!, ...to });
  for (let tries = 1; ; tries++) {
    try {
      change({ state: 'running' });
      await new FilesClient(upload.desktopId).upload(upload.path, job.file, {
        overwrite: true,
        onProgress: (share) => change({ share }),
        signal: job.stop.signal,
      });
      change({ state: 'done', share: 1 });
      return;
    } catch (error) {
      if (job.stop.signal.aborted) return;
      if (error instanceof UploadRefused || tries >= triesMax) {
        change({ state: 'failed', problem: (error as Error).message });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** tries));
    }
  }
}
