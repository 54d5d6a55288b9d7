import { randomBytes } from 'node:crypto';
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Dispatcher, Reply, Request } from './api/dispatch.ts';
import { isUpload, takeUpload } from './api/upload.ts';
import { Refusal } from './api/refusal.ts';
import { acceptHeaders, overWebSocket } from './api/webSocket.ts';
import type { Parameters } from './api/verify.ts';

const prefix = '/api2/json';
/** What the real daemons take for a request, median of the recordings. */
const requestMs = 50;
/** What pveproxy takes of a body at most. */
const bodyMaxBytes = 512 * 1024;

export interface Listener {
  port: number;
  close(): Promise<void>;
}

/** The dispatcher behind HTTP, with the faults that only a connection can have. */
export async function listen(
  dispatcher: Dispatcher,
  tls: { key: string; cert: string } | undefined,
  at: { port?: number; hostname?: string } | { path: string } = {},
): Promise<Listener> {
  const onRequest = (request: IncomingMessage, response: ServerResponse) => void serve(dispatcher, request, response);
  const server: Server = tls ? createSecure(tls, onRequest) : createPlain(onRequest);
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void upgrade(dispatcher, request, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, hostname: '127.0.0.1', ...at }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function serve(dispatcher: Dispatcher, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = await requestOf(dispatcher, incoming);
  if (request === undefined || !('method' in request)) {
    send(response, request ?? { status: 404, reason: 'no such file', contentType: null, body: null });
    return;
  }
  const { faults, pace, state } = dispatcher.world;
  // The clock of the daemon that is asked.
  const [asked] = Object.keys(state.nodes);
  response.setHeader('date', new Date(dispatcher.world.nowS(asked) * 1000).toUTCString());
  const name = dispatcher.nameOf(request);
  if (faults.meets('lostRequest', name)) return void incoming.socket.destroy();
  const instead = faults.meets('answer', name);
  if (instead) return send(response, plainReply(instead.status, instead.reason));
  const broken = faults.meets('brokenPipe', name);
  if (broken) {
    const { status = 596, reason = 'Broken pipe' } = broken;
    return send(response, { status, reason, contentType: null, body: null });
  }
  const reply = await answer(dispatcher, request);
  const slow = faults.meets('slow', name);
  if (slow) await dispatcher.world.clock.sleep(slow.ms);
  if (faults.meets('lostAnswer', name)) return void incoming.socket.destroy();
  await pace.wait(requestMs);
  send(response, reply);
}

async function answer(dispatcher: Dispatcher, request: Request): Promise<Reply> {
  try {
    return await dispatcher.handle(request);
  } catch (error) {
    // A bug of the double: it says so itself, in words PVE does not use.
    return plainReply(500, `double: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function plainReply(status: number, reason: string): Reply {
  return {
    status,
    reason,
    contentType: 'application/json;charset=UTF-8',
    body: { data: null, message: `${reason}\n` },
  };
}

function send(response: ServerResponse, reply: Reply): void {
  const reason = reply.reason.replace(/[^\x20-\x7e]/g, ' ');
  if (reply.contentType === null) {
    response.writeHead(reply.status, reason, { 'content-length': 0, 'cache-control': 'max-age=0' });
    response.end();
    return;
  }
  const text =
    typeof reply.body === 'string' && reply.contentType === 'text/plain' ? reply.body : JSON.stringify(reply.body);
  const bytes = Buffer.from(text);
  response.writeHead(reply.status, reason, {
    'content-type': reply.contentType,
    'content-length': bytes.length,
    'cache-control': 'max-age=0',
    server: 'pve-api-daemon/3.0',
  });
  response.end(bytes);
}

/** The request, or the answer where its body is refused already. */
async function requestOf(dispatcher: Dispatcher, incoming: IncomingMessage): Promise<Request | Reply | undefined> {
  if (isUpload(incoming)) return uploadOf(dispatcher, incoming);
  const body = await bodyOf(incoming);
  if (body === undefined) return { status: 501, reason: 'for data too large', contentType: null, body: null };
  return parse(incoming, body);
}

/** The file lies in /var/tmp of the daemon that is asked until the call takes it. */
async function uploadOf(dispatcher: Dispatcher, incoming: IncomingMessage): Promise<Request | Reply | undefined> {
  const { state, uploads } = dispatcher.world;
  const [node] = Object.values(state.nodes);
  try {
    const { params, upload } = await takeUpload(incoming, node?.tmpFreeBytes ?? Number.POSITIVE_INFINITY);
    const tmpfilename = `/var/tmp/pveupload-${randomBytes(16).toString('hex')}`;
    uploads.set(tmpfilename, upload);
    const request = parse(incoming, Buffer.alloc(0));
    return request && { ...request, params: { ...params, tmpfilename } };
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, reason: error.reason, contentType: null, body: null };
    // The client went away in the middle.
    return { status: 501, reason: 'upload failed', contentType: null, body: null };
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyMaxBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Parameters come in the query, as a form or as JSON; a name given twice is a list. */
function parse(incoming: IncomingMessage, body: Buffer): Request | undefined {
  const [path = '', query = ''] = (incoming.url ?? '').split('?');
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const params: Parameters = {};
  addForm(params, query);
  const type = incoming.headers['content-type'] ?? '';
  if (body.length > 0 && type.includes('json')) Object.assign(params, JSON.parse(body.toString()) as Parameters);
  else if (body.length > 0) addForm(params, body.toString());
  return {
    method: incoming.method ?? 'GET',
    path: path.slice(prefix.length),
    params,
    authorization: incoming.headers.authorization,
  };
}

function addForm(params: Parameters, text: string): void {
  for (const [name, value] of new URLSearchParams(text)) {
    const known = params[name];
    if (known === undefined) params[name] = value;
    else params[name] = Array.isArray(known) ? [...known, value] : [known, value];
  }
}

async function upgrade(dispatcher: Dispatcher, incoming: IncomingMessage, socket: Duplex): Promise<void> {
  socket.on('error', () => socket.destroy());
  const request = parse(incoming, Buffer.alloc(0));
  const result = request && (await dispatcher.upgrade(request));
  if (typeof result !== 'function') {
    const { status, reason } = result ?? { status: 404, reason: 'no such file' };
    socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  const protocols = String(incoming.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  const protocol = protocols.includes('binary') ? 'binary' : undefined;
  socket.write(acceptHeaders(String(incoming.headers['sec-websocket-key'] ?? ''), protocol));
  await result(overWebSocket(socket));
}
