import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { invalid } from './validate.ts';

const bodyLimitMs = 60_000;

/**
 * The whole body.
 * @throws Fault `payload_too_large` before more than `maxBytes` are held; `invalid_request` when it takes over a minute
 */
export async function readBody(
  request: Request,
  { maxBytes, clock }: { maxBytes: number; clock: Clock },
): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return new Uint8Array();
  const whole = new AbortController();
  try {
    const reading = declared === null ? readChunks(request.body, maxBytes) : readDeclared(request, maxBytes);
    return await Promise.race([reading, clock.sleep(bodyLimitMs, whole.signal).then(() => tooSlow(reading))]);
  } finally {
    whole.abort();
  }
}

async function readDeclared(request: Request, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

async function readChunks(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooSlow(reading: Promise<unknown>): never {
  // Its client goes at some time, and nobody waits for that.
  reading.catch(() => {});
  throw new Fault('invalid_request', `The body did not come within ${bodyLimitMs / 1000} seconds.`);
}

/** @throws Fault `unsupported_media_type` or `invalid_request` */
export function parseJson(bytes: Uint8Array, contentType: string | null): unknown {
  const type = (contentType ?? 'application/json').split(';', 1)[0]!.trim().toLowerCase();
  if (type !== 'application/json')
    throw new Fault('unsupported_media_type', `The body is ${type}; application/json is wanted.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid([
      {
        pointer: '',
        code: 'malformed_json',
        message: 'is no JSON in UTF-8' + (error instanceof SyntaxError ? `: ${error.message}` : ''),
      },
    ]);
  }
}

function tooLarge(maxBytes: number): Fault {
  return new Fault('payload_too_large', `The body is larger than ${maxBytes} bytes.`, { members: { maxBytes } });
}
