import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import type { Socket } from 'node:net';
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
  /** Until the answer; with a body in parts, until the next piece of it is taken. */
  limitMs: number;
  /** Instead of a query in the body. */
  parts?: PveParts;
}

/** A body of `multipart/form-data`, whose last part is a file. */
export interface PveParts {
  boundary: string;
  before: string;
  file: { path: string; sizeBytes: number };
  after: string;
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
    let dueMs = 0;
    const wait = () => {
      dueMs = clock.monotonicMs() + request.limitMs;
    };
    wait();
    const late = async (): Promise<never> => {
      for (;;) {
        const leftMs = dueMs - clock.monotonicMs();
        if (leftMs <= 0) break;
        await clock.sleep(leftMs, over.signal);
        if (over.signal.aborted) return new Promise<never>(() => {});
      }
      over.abort();
      throw new Error(`no answer within ${request.limitMs / 1000} s`);
    };
    try {
      const message = { head: headOf(request, host, shown), parts: request.parts, onTaken: wait };
      return await Promise.race([exchange(endpoint, message, over.signal), late()]);
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
  const { method, path, query, parts } = request;
  const inBody = method === 'POST' || method === 'PUT';
  const target = query === '' || inBody ? path : `${path}?${query}`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: PVEAPIToken=${token}`,
    'Accept: application/json',
    'Connection: close',
    ...(inBody ? bodyHeaders(query, parts) : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${inBody && parts === undefined ? query : ''}`;
}

function bodyHeaders(query: string, parts: PveParts | undefined): string[] {
  const type = parts ? `multipart/form-data; boundary=${parts.boundary}` : 'application/x-www-form-urlencoded';
  // Proxmox VE refuses bodies whose length it does not know ahead.
  const length = parts
    ? Buffer.byteLength(parts.before) + parts.file.sizeBytes + Buffer.byteLength(parts.after)
    : Buffer.byteLength(query);
  return [`Content-Type: ${type}`, `Content-Length: ${length}`];
}

interface Message {
  head: string;
  parts: PveParts | undefined;
  /** Called whenever the other side has taken a piece of the body. */
  onTaken: () => void;
}

async function exchange(endpoint: PveEndpoint, message: Message, signal: AbortSignal): Promise<PveAnswer> {
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
  socket.write(message.head);
  // An answer may come before the body was taken; then that is what counts.
  if (message.parts) sendParts(socket, message.parts, message.onTaken).catch(reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', cut);
    cut();
  }
}

const pieceBytes = 2 ** 20;

/** Never more than a piece or two of the file in memory. */
async function sendParts(socket: Socket, { before, file, after }: PveParts, onTaken: () => void): Promise<void> {
  const take = async (piece: string | Uint8Array) => {
    if (socket.destroyed) return;
    const closed = new AbortController();
    const onClose = () => closed.abort();
    if (!socket.write(piece)) {
      socket.once('close', onClose);
      await once(socket, 'drain', { signal: closed.signal }).catch(() => {});
      socket.off('close', onClose);
    }
    onTaken();
  };
  await take(before);
  let sent = 0;
  const pieces = createReadStream(file.path, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer>;
  for await (const piece of pieces) {
    if (socket.destroyed) return;
    sent += piece.length;
    if (sent > file.sizeBytes) break;
    await take(piece);
  }
  if (sent !== file.sizeBytes) throw new Error(`${file.path} changed while it was sent`);
  await take(after);
}
