import { sendInPieces, type UploadState } from '@lebureau/sdk/sendInPieces';
import { map } from 'nanostores';
import { ApiProblem } from '../client.ts';
import { FilesClient } from './filesClient.ts';

export interface Upload {
  id: string;
  desktopId: string;
  path: string;
  name: string;
  sizeBytes: number;
  /** What the desktop has. */
  sentBytes: number;
  /** `cut`: it goes on by itself once the network is back. */
  state: 'waiting' | 'running' | 'cut' | 'paused' | 'done' | 'failed';
  problem?: string | undefined;
}

/** All uploads of this page; they go on while other pages are looked at. */
export const uploads = map<Record<string, Upload>>({});

interface Job {
  file: File;
  stop: AbortController;
  /** Where it stands in the desktop. */
  begun?: UploadState;
  onDone: () => void;
}

const jobs = new Map<string, Job>();
let running: Promise<void> = Promise.resolve();
const pauseMaxMs = 15_000;

export function startUpload(wish: { desktopId: string; path: string; file: File; onDone: () => void }): void {
  const id = crypto.randomUUID();
  const { desktopId, path, file, onDone } = wish;
  uploads.setKey(id, { id, desktopId, path, name: file.name, sizeBytes: file.size, sentBytes: 0, state: 'waiting' });
  jobs.set(id, { file, stop: new AbortController(), onDone });
  enqueue(id);
}

export function pauseUpload(id: string): void {
  jobs.get(id)?.stop.abort();
  change(id, { state: 'paused' });
}

/** Goes on where the desktop is. */
export function resumeUpload(id: string): void {
  const job = jobs.get(id);
  if (!job) return;
  job.stop = new AbortController();
  change(id, { state: 'waiting', problem: undefined });
  enqueue(id);
}

/** Ends it and takes it from the list; what came in of it is removed. */
export function cancelUpload(id: string): void {
  const job = jobs.get(id);
  const upload = uploads.get()[id];
  job?.stop.abort();
  jobs.delete(id);
  if (job?.begun && upload && upload.state !== 'done')
    void new FilesClient(upload.desktopId).cancelUpload(job.begun).catch(() => undefined);
  const { [id]: _gone, ...rest } = uploads.get();
  uploads.set(rest);
}

/** One after the other: two at once are no quicker, and the first is whole sooner. */
function enqueue(id: string): void {
  const { stop } = jobs.get(id)!;
  running = running.then(() => (stop.signal.aborted ? undefined : carryOut(id, stop.signal)));
}

async function carryOut(id: string, signal: AbortSignal): Promise<void> {
  const job = jobs.get(id);
  const upload = uploads.get()[id];
  if (!job || !upload) return;
  change(id, { state: 'running' });
  const files = new FilesClient(upload.desktopId);
  try {
    await sendInPieces(job.file, files.uploadCalls(upload.path, { sizeBytes: job.file.size, signal }), {
      signal,
      upload: job.begun,
      onUpload: (begun) => {
        job.begun = begun;
        if (!signal.aborted) change(id, { state: 'running', sentBytes: begun.receivedBytes });
      },
      afterFailure: async (error, failures) => {
        if (signal.aborted || !mayPass(error)) throw error;
        change(id, { state: 'cut' });
        await untilBetter(failures, signal);
      },
    }).catch((error: unknown) =>
      isTooOld(error) ? files.write(upload.path, job.file, signal) : Promise.reject(error),
    );
    change(id, { state: 'done', sentBytes: job.file.size });
    job.onDone();
  } catch (error) {
    if (!signal.aborted) change(id, { state: 'failed', problem: (error as Error).message });
  }
}

function change(id: string, to: Partial<Upload>): void {
  const upload = uploads.get()[id];
  if (upload) uploads.setKey(id, { ...upload, ...to });
}

/** A network that went away makes a TypeError, one that is silent a TimeoutError. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ApiProblem))
    return error instanceof TypeError || (error as { name?: string }).name === 'TimeoutError';
  const { status, code } = error;
  return code === 'range_not_satisfiable' || status === 408 || status === 429 || (status >= 500 && !isFinal(status));
}

const isFinal = (status: number) => status === 501 || status === 507;
const isTooOld = (error: unknown) => error instanceof ApiProblem && error.code === 'unsupported';

/** A while, or until the browser says that it is online again. */
function untilBetter(failures: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(pauseMaxMs, 500 * 2 ** failures));
    addEventListener('online', end);
    signal.addEventListener('abort', end);
  });
}
