import { sendInPieces, type UploadState } from '@lebureau/sdk/sendInPieces';
import { map } from 'nanostores';
import { ApiProblem } from '../client.ts';
import { loadPart } from '../ui/loadPart.ts';
import { FilesClient } from './filesClient.ts';
import { forgetUpload, keepUpload, leftUploads } from './keptUploads.ts';

export interface Upload {
  id: string;
  desktopId: string;
  path: string;
  name: string;
  sizeBytes: number;
  /** What the desktop has. */
  sentBytes: number;
  /** Of the file. */
  modifiedMs: number;
  /** `cut`: it goes on by itself once the network is back. `interrupted`: once the file is chosen again. */
  state: 'waiting' | 'running' | 'cut' | 'paused' | 'interrupted' | 'done' | 'failed';
  problem?: string | undefined;
}

/** All uploads of this page; they go on while other pages are looked at. */
export const uploads = map<Record<string, Upload>>({});

interface Job {
  /** Undefined: a page before this one had it. */
  file?: File;
  /** The file was chosen anew: that it is the same is checked. */
  isChosenAnew?: true;
  stop: AbortController;
  /** Where it stands in the desktop. */
  begun?: UploadState;
  onDone?: () => void;
}

const jobs = new Map<string, Job>();
let running: Promise<void> = Promise.resolve();
const pauseMaxMs = 15_000;

/** One that was interrupted, of the same file to the same place, goes on. */
export function startUpload(wish: { desktopId: string; path: string; file: File; onDone: () => void }): void {
  const { desktopId, path, file, onDone } = wish;
  const known = Object.values(uploads.get()).find(
    (one) => one.desktopId === desktopId && one.path === path && one.state === 'interrupted' && isOf(one, file),
  );
  if (known) return void goOnWith(known.id, file, onDone);
  const id = crypto.randomUUID();
  const { name, size: sizeBytes, lastModified: modifiedMs } = file;
  uploads.setKey(id, { id, desktopId, path, name, sizeBytes, modifiedMs, sentBytes: 0, state: 'waiting' });
  jobs.set(id, { file, stop: new AbortController(), onDone });
  enqueue(id);
}

/** Shows those that a page before this one left unfinished, and of which the desktop has something. */
export async function findInterrupted(desktopId: string): Promise<void> {
  const files = new FilesClient(desktopId);
  for (const kept of await leftUploads()) {
    if (kept.desktopId !== desktopId || jobs.has(kept.id)) continue;
    try {
      const begun = await files.getUpload(kept.begun);
      const { id, path, name, sizeBytes, modifiedMs } = kept;
      const sentBytes = begun.receivedBytes;
      uploads.setKey(id, { id, desktopId, path, name, sizeBytes, modifiedMs, sentBytes, state: 'interrupted' });
      jobs.set(id, { begun, stop: new AbortController() });
    } catch (error) {
      // It was swept, or went with the desktop. Anything else passes, and it is looked for again.
      if (error instanceof ApiProblem && error.status === 404) forgetUpload(kept.id);
    }
  }
}

/** @returns false: that is another file */
export function goOnWith(id: string, file: File, onDone: () => void): boolean {
  const upload = uploads.get()[id];
  const job = jobs.get(id);
  if (!upload || !job || !isOf(upload, file)) return false;
  Object.assign(job, { file, onDone, isChosenAnew: true });
  resumeUpload(id);
  return true;
}

const isOf = ({ name, sizeBytes, modifiedMs }: Upload, file: File) =>
  file.name === name && file.size === sizeBytes && file.lastModified === modifiedMs;

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
  forgetUpload(id);
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
  const file = job?.file;
  if (!job || !file || !upload) return;
  change(id, { state: 'running' });
  const files = new FilesClient(upload.desktopId);
  try {
    // Read from its beginning once more, and compared by the desktop: a date is no proof.
    const hash = job.isChosenAnew && (await loadPart(() => import('./runningSha256.ts'))).runningSha256();
    await sendInPieces(file, files.uploadCalls(upload.path, { sizeBytes: file.size, signal }), {
      signal,
      hash,
      upload: job.begun,
      onUpload: (begun) => {
        job.begun = begun;
        if (jobs.has(id)) keepUpload({ ...upload, begun });
        if (!signal.aborted) change(id, { state: 'running', sentBytes: begun.receivedBytes });
      },
      afterFailure: async (error, failures) => {
        if (signal.aborted || !mayPass(error)) throw error;
        change(id, { state: 'cut' });
        await untilBetter(failures, signal);
      },
    }).catch((error: unknown) => (isTooOld(error) ? files.write(upload.path, file, signal) : Promise.reject(error)));
    forgetUpload(id);
    change(id, { state: 'done', sentBytes: file.size });
    job.onDone?.();
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
