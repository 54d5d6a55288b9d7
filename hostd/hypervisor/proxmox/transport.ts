import type { Clock } from '@lebureau/kit/clock';
import { connectPve, type PveEndpoint } from './connect.ts';
import { readAnswer, type PveAnswer } from './httpAnswer.ts';
import type { PveToken } from './token.ts';

export interface PveRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `/api2/json` in front. */
  path: string;
  /** Already in the form of a query. */
  query: string;
  limitMs: number;
}

/** Sends one request once. @throws Error when no whole answer came: it may have been carried out all the same. */
export type PveSend = (request: PveRequest) => Promise<PveAnswer>;

const answerMaxBytes = 64 * 2 ** 20;

const refused = 401;

/**
 * One connection for each request. A kept one may break between two requests, and then nobody knows whether a POST was
 * taken. Nothing is sent twice but what was refused for its token, which nobody carried out, with another token.
 */
export function openTransport(endpoint: PveEndpoint, token: PveToken, clock: Clock): PveSend {
  const { host } = new URL(endpoint.url);
  const send = async (request: PveRequest, shown: string) => {
    const over = new AbortController();
    const late = clock.sleep(request.limitMs, over.signal).then(() => {
      if (over.signal.aborted) return new Promise<never>(() => {});
      over.abort();
      throw new Error(`no answer within ${request.limitMs / 1000} s`);
    });
    try {
      return await Promise.race([exchange(endpoint, headOf(request, host, shown), over.signal), late]);
    } finally {
      over.abort();
    }
  };
  return async (request) => {
    const shown = token.text;
    const answer = await send(request, shown);
    return answer.status === refused && token.refused(shown) ? send(request, token.text) : answer;
  };
}

function headOf(request: PveRequest, host: string, token: string): string {
  const { method, path, query } = request;
  const inBody = method === 'POST' || method === 'PUT';
  const target = query === '' || inBody ? path : `${path}?${query}`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: PVEAPIToken=${token}`,
    'Accept: application/json',
    'Connection: close',
    ...(inBody
      ? ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${Buffer.byteLength(query)}`]
      : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${inBody ? query : ''}`;
}

async function exchange(endpoint: PveEndpoint, message: string, signal: AbortSignal): Promise<PveAnswer> {
  const socket = await connectPve(endpoint);
  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve, reject } = Promise.withResolvers<PveAnswer>();
  const give = () => {
    try {
      resolve(readAnswer(Buffer.concat(chunks)));
    } catch (error) {
      reject(error as Error);
    }
  };
  const cut = () => socket.destroy();
  signal.addEventListener('abort', cut, { once: true });
  if (signal.aborted) cut();
  socket.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > answerMaxBytes) cut();
  });
  socket.once('end', give);
  socket.once('close', give);
  socket.write(message);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', cut);
    cut();
  }
}
