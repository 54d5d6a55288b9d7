import type { UploadState } from '@lebureau/sdk/sendInPieces';
import { session } from '../session.ts';

/**
 * What has to be known of an upload that is not done when its page is loaded again: the browser takes the file away, but not
 * what the desktop has of it.
 */
export interface KeptUpload {
  id: string;
  desktopId: string;
  path: string;
  name: string;
  sizeBytes: number;
  /** Of the file, when it was chosen. */
  modifiedMs: number;
  begun: UploadState & { expiresAt?: string };
  /** The page that sends it, or did. */
  pageId: string;
}

const pageId = crypto.randomUUID();
const lockOf = (page: string) => `lb-page-${page}`;
// Held as long as this page lives: whoever cannot have it knows that we still send. Plain HTTP has no locks.
void navigator.locks?.request(lockOf(pageId), () => new Promise<never>(() => undefined));

/** Others who sign in in this browser see none of it. */
const prefix = () => `lb-upload:${session.get()?.user?.id ?? ''}:`;

export function keepUpload(upload: Omit<KeptUpload, 'pageId'>): void {
  try {
    localStorage.setItem(prefix() + upload.id, JSON.stringify({ ...upload, pageId } satisfies KeptUpload));
  } catch {
    // A browser that keeps nothing loses the upload with the page, as it loses everything else.
  }
}

export function forgetUpload(id: string): void {
  localStorage.removeItem(prefix() + id);
}

/** Those whose page is gone, and which the desktop may still have. */
export async function leftUploads(): Promise<KeptUpload[]> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const alive = new Set([lockOf(pageId), ...held.map(({ name }) => name)]);
  const left: KeptUpload[] = [];
  for (const key of Object.keys(localStorage).filter((each) => each.startsWith(prefix()))) {
    const kept = JSON.parse(localStorage.getItem(key)!) as KeptUpload;
    if (Date.parse(kept.begun.expiresAt ?? '') < Date.now()) localStorage.removeItem(key);
    else if (!alive.has(lockOf(kept.pageId))) left.push(kept);
  }
  return left;
}
