/** What the desktop has of an upload. */
export interface UploadState {
  uploadId: string;
  path: string;
  receivedBytes: number;
}

/** What can be read again from anywhere: a Blob, or something that reads like one. */
export interface Sliceable {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** The calls that an upload consists of. Each is one try; what they throw has a `code` when it is from the API. */
export interface UploadCalls<Receipt> {
  create(): Promise<UploadState>;
  get(upload: UploadState): Promise<UploadState>;
  write(upload: UploadState, bytes: Uint8Array<ArrayBuffer>): Promise<UploadState>;
  finish(upload: UploadState, sha256: string | undefined): Promise<Receipt>;
}

interface Hash {
  update(bytes: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

export interface UploadSettings {
  signal?: AbortSignal | undefined;
  /** One that was begun before. */
  upload?: UploadState | undefined;
  /** Called with what the desktop has, each time that it told. */
  onUpload?: ((upload: UploadState) => void) | undefined;
  /** SHA-256. Without one the desktop compares nothing. */
  hash?: Hash | undefined;
  /** Waits where the failure may pass, else throws it. Told how many came since the desktop last had more. */
  afterFailure: (error: unknown, failures: number) => Promise<void>;
}

const piece = { minBytes: 262_144, firstBytes: 1_048_576, maxBytes: 16_777_216 };
/** The time of a piece: worth a request, and short enough to show how far it is. */
const wishedMs = { min: 500, max: 3000 };
const restartsMax = 3;

/**
 * Sends a file in pieces, and after a failure that may pass goes on where the desktop is. An upload that is gone is begun
 * anew. Ends with the file in its place, or with what `afterFailure` throws.
 */
export async function sendInPieces<Receipt>(
  source: Sliceable,
  calls: UploadCalls<Receipt>,
  settings: UploadSettings,
): Promise<Receipt> {
  const sum = settings.hash && new RunningSum(source, settings.hash);
  let upload = settings.upload;
  // One that was whole may have been finished, and only the answer lost: then it is no longer there to be asked for.
  let isAsked = upload?.receivedBytes === source.size;
  let sizeBytes = piece.firstBytes;
  let [failures, restarts, mostBytes] = [0, 0, 0];
  for (;;) {
    settings.signal?.throwIfAborted();
    const offset = upload?.receivedBytes ?? 0;
    if (offset > source.size) throw new RangeError('The desktop has more of this upload than there is to send.');
    const isWhole = isAsked && offset === source.size;
    const bytes = isAsked && !isWhole ? await readPart(source, offset, sizeBytes) : undefined;
    const sha256 = isWhole ? await sum?.ofAll() : undefined;
    try {
      if (upload === undefined) upload = await calls.create();
      else if (!isAsked) upload = await calls.get(upload);
      else if (bytes === undefined) return await calls.finish(upload, sha256);
      else {
        const startMs = performance.now();
        upload = await calls.write(upload, bytes);
        if (upload.receivedBytes <= offset) throw new Error('The desktop took nothing of what was sent.');
        sizeBytes = nextSize(sizeBytes, performance.now() - startMs);
      }
      isAsked = true;
    } catch (error) {
      isAsked = isWhole && codeOf(error) !== 'range_not_satisfiable';
      sizeBytes = Math.max(piece.minBytes, sizeBytes / 2);
      if (upload !== undefined && codeOf(error) === 'file_not_found' && restarts++ < restartsMax)
        [upload, isAsked] = [undefined, false];
      else await settings.afterFailure(error, failures++);
      continue;
    }
    // A desktop that takes and loses in turn is not progress.
    if (upload.receivedBytes > mostBytes) [mostBytes, failures] = [upload.receivedBytes, 0];
    if (bytes) sum?.add(bytes, offset);
    settings.onUpload?.(upload);
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

function nextSize(bytes: number, tookMs: number): number {
  if (tookMs < wishedMs.min) return Math.min(piece.maxBytes, bytes * 2);
  return tookMs > wishedMs.max ? Math.max(piece.minBytes, bytes / 2) : bytes;
}

async function readPart(source: Sliceable, from: number, sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const end = Math.min(source.size, from + sizeBytes);
  const bytes = new Uint8Array(await source.slice(from, end).arrayBuffer());
  if (bytes.length !== end - from) throw new RangeError('The file became shorter while it was sent.');
  return bytes;
}

/** From the beginning to the end. */
export async function* piecesOf(source: Sliceable): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < source.size; at += piece.firstBytes) yield await readPart(source, at, piece.firstBytes);
}

/** Follows the source from its beginning, whatever is sent twice or was sent before. */
class RunningSum {
  readonly #source: Sliceable;
  readonly #hash: Hash;
  #position = 0;
  #digest: string | undefined;

  constructor(source: Sliceable, hash: Hash) {
    this.#source = source;
    this.#hash = hash;
  }

  add(bytes: Uint8Array, offset: number): void {
    if (offset > this.#position || offset + bytes.length <= this.#position) return;
    this.#hash.update(bytes.subarray(this.#position - offset));
    this.#position = offset + bytes.length;
  }

  async ofAll(): Promise<string> {
    while (this.#position < this.#source.size)
      this.add(await readPart(this.#source, this.#position, piece.firstBytes), this.#position);
    return (this.#digest ??= this.#hash.digest('hex'));
  }
}
