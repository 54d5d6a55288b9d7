import { Fault } from '@lebureau/kit/fault';

/** Above every limit of a JSON body in the contract; the API has kept the exact ones. */
const jsonMaxBytes = 8 * 1_048_576;

export async function readJson<Body>(request: Request): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readBody(request)) {
    bytes += chunk.length;
    if (bytes > jsonMaxBytes) throw new Fault('payload_too_large', 'The body is too large.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body;
  } catch (error) {
    throw new Fault('invalid_request', 'The body is no JSON.', { cause: error });
  }
}

/**
 * The body as it comes, taken only as fast as it is used. A sender that goes away early ends in a Fault, never in a body
 * that looks complete.
 */
export async function* readBody(request: Request): AsyncGenerator<Uint8Array, void, undefined> {
  const announced = request.headers.get('content-length');
  let bytes = 0;
  if (request.body !== null) {
    for await (const chunk of request.body) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  const short = announced !== null && bytes < Number(announced);
  if (request.signal.aborted || short) throw new Fault('invalid_request', 'The body ended early.');
}
