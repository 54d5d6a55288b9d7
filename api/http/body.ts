import { Fault } from '@lebureau/kit/fault';
import { invalid } from './validate.ts';

/** The whole body. @throws Fault `payload_too_large` before more than `maxBytes` are held. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return new Uint8Array();
  if (declared !== null) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length > maxBytes) throw tooLarge(maxBytes);
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
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
