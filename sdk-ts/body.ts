/** What can be uploaded. Bytes, text and Blobs can be sent again after a failure; streams and iterables are read once. */
export type UploadSource =
  | Uint8Array<ArrayBuffer>
  | ArrayBuffer
  | string
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>;

export interface UploadBody {
  body: Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>;
  /** False: it is gone once the first try has begun to read it. */
  replayable: boolean;
}

export function uploadBody(source: UploadSource): UploadBody {
  if (typeof source === 'string')
    return { body: new TextEncoder().encode(source) as Uint8Array<ArrayBuffer>, replayable: true };
  if (source instanceof ArrayBuffer) return { body: new Uint8Array(source), replayable: true };
  if (source instanceof Uint8Array) return { body: source as Uint8Array<ArrayBuffer>, replayable: true };
  if (source instanceof Blob) return { body: source, replayable: true };
  if (source instanceof ReadableStream) return { body: source, replayable: false };
  return { body: streamOf(source), replayable: false };
}

/** `ReadableStream.from` is missing in some runtimes. One chunk is pulled at a time, so memory stays constant. */
function streamOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
