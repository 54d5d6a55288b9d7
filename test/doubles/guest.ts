import { unlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import nodeDocument from '@lebureau/openapi/node.json' with { type: 'json' };

/** hostd's guest contract without guests: each operation answers with its example in node.json, files keep what was written. */

export interface GuestDouble {
  /** Every request: method and path below `/guest`. */
  readonly seen: string[];
  /** Bytes received by the last upload. */
  uploadedBytes: number;
  /** Uploads that were cut off. */
  abortedUploads: number;
  /** The streams that are open: each gives back what it gets. */
  readonly streams: { url: URL; caller: string | null; close(code?: number): void }[];
  /** Which port of this machine stands for a port of the guest: streams to it lead there. */
  readonly ports: Map<number, number>;
  /** Answers the next requests in the place of the examples. */
  answer: ((request: Request) => Promise<Response | undefined> | Response | undefined) | undefined;
  stop(): Promise<void>;
}

const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const octets = { 'content-type': 'application/octet-stream' };

interface Described {
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>;
}

export function serveGuestDouble(socketPath: string): GuestDouble {
  const double: GuestDouble = {
    seen: [],
    uploadedBytes: 0,
    abortedUploads: 0,
    streams: [],
    ports: new Map(),
    answer: undefined,
    stop: () => server.stop(true),
  };
  const server = Bun.serve<{ url: URL; caller: string | null; port?: Socket }>({
    unix: socketPath,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    websocket: {
      open: (socket) => {
        double.streams.push(Object.assign(socket.data, { close: (code?: number) => socket.close(code) }));
        const { port } = socket.data;
        port?.on('data', (piece) => void socket.sendBinary(piece)).on('close', () => socket.close(1000));
        port?.on('error', () => port.destroy());
      },
      message: (socket, message) => void (socket.data.port?.write(message) ?? socket.send(message)),
      close: (socket) => {
        socket.data.port?.destroy();
        double.streams.splice(
          double.streams.findIndex((one) => one === socket.data),
          1,
        );
      },
    },
    async fetch(request, it) {
      const { pathname, searchParams } = new URL(request.url);
      const path = pathname.replace(/^\/guest\/[^/]+/, '');
      double.seen.push(`${request.method} ${path}`);
      const special = await double.answer?.(request);
      if (special) return special;
      const data = {
        url: new URL(request.url),
        caller: request.headers.get('x-caller'),
        ...portOf(double, path, searchParams),
      };
      if (path.startsWith('/streams/') && it.upgrade(request, { data })) return undefined;
      if (path === '/screenshot' && searchParams.get('as') !== 'json')
        return new Response(pixel, { headers: { 'content-type': 'image/png', frame: '{}' } });
      if (path === '/files/content' && request.method === 'GET')
        return new Response(endless(Number(searchParams.get('path') ?? 0)), { headers: octets });
      if (path === '/files/content') await receive(request, double);
      return exampleOf(request.method, path);
    },
  });
  return double;
}

function portOf({ ports }: GuestDouble, path: string, query: URLSearchParams): { port?: Socket } {
  const port = path === '/streams/port' ? ports.get(Number(query.get('port'))) : undefined;
  return port === undefined ? {} : { port: connect(port, '127.0.0.1') };
}

async function receive(request: Request, double: GuestDouble): Promise<void> {
  double.uploadedBytes = 0;
  try {
    for await (const chunk of request.body ?? []) double.uploadedBytes += (chunk as Uint8Array).length;
  } catch (error) {
    double.abortedUploads += 1;
    throw error;
  }
}

/** So many bytes, made as they are taken. */
function endless(bytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(262_144);
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (part.length > 0) controller.enqueue(part);
      if (left === 0) controller.close();
    },
  });
}

function exampleOf(method: string, path: string): Response {
  const found = Object.entries(nodeDocument.paths).find(([template]) =>
    new RegExp(`^/guest${template.slice('/guest/{assignmentId}'.length).replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(
      `/guest${path}`,
    ),
  );
  const operation = (found?.[1] as Record<string, Described> | undefined)?.[method.toLowerCase()];
  const [status, response] = Object.entries(operation?.responses ?? {}).find(([code]) => code.startsWith('2')) ?? [
    '404',
    undefined,
  ];
  const [type = '', content] = Object.entries(response?.content ?? {}).at(-1) ?? [];
  if (content?.example === undefined) return new Response(null, { status: Number(status) });
  return type === 'application/json'
    ? Response.json(content.example, { status: Number(status) })
    : new Response(String(content.example), { status: Number(status), headers: { 'content-type': type } });
}

export function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There was none.
  }
}
