/** A web server as people run it in a desktop, which remembers what it was asked. */
export interface GuestPage {
  port: number;
  /** Headers of the requests, oldest first. */
  seen: Record<string, string>[];
  /** To everybody who listens at `/events`. */
  tell(data: string): void;
  stop(): Promise<void>;
}

const hostile: [string, string][] = [
  ['Set-Cookie', 'a=1; Domain=preview.localhost; Path=/'],
  ['Set-Cookie', '__Host-lb_preview=stolen; Path=/; Secure'],
  ['Set-Cookie', '__HOST-LB_PREVIEW=stolen; Path=/; Secure'],
  ['Set-Cookie', '=__Host-lb_preview=stolen'],
  ['Set-Cookie', '__Host-lb_session'],
  ['Set-Cookie', 'b=2; Secure; domain = .preview.localhost'],
  ['Set-Cookie', 'c=3'],
  ['Clear-Site-Data', '"cookies"'],
  ['Strict-Transport-Security', 'max-age=1; includeSubDomains'],
  ['Alt-Svc', 'h2="evil.example:443"'],
  ['NEL', '{}'],
  ['Report-To', '{}'],
  ['Connection', 'x-hop'],
  ['X-Hop', '1'],
  ['Keep-Alive', 'timeout=5'],
  ['Location', 'http://127.0.0.1:3000/there?x#y'],
  ['Access-Control-Allow-Origin', 'http://localhost:3000'],
  ['Cache-Control', 'public, max-age=60, s-maxage=600'],
  ['Content-Security-Policy', 'default-src *'],
];

export function startGuestPage(): GuestPage {
  const seen: Record<string, string>[] = [];
  const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 60,
    websocket: {
      message: (socket, message) => void (message === 'bye' ? socket.close(4001, 'bye') : socket.send(message)),
    },
    async fetch(request, it) {
      const { pathname, search } = new URL(request.url);
      seen.push(Object.fromEntries(request.headers));
      if (pathname === '/socket') {
        const chosen = request.headers.get('sec-websocket-protocol')?.split(', ').at(-1);
        const headers = new Headers(chosen === undefined ? [] : [['Sec-WebSocket-Protocol', chosen]]);
        return it.upgrade(request, { headers }) ? undefined : new Response(null, { status: 400 });
      }
      if (pathname === '/worker.js')
        return new Response('self.onfetch = () => {};', { headers: { 'Content-Type': 'text/javascript' } });
      if (pathname === '/hostile') return new Response('', { headers: hostile });
      if (pathname === '/length') return new Response(String((await request.arrayBuffer()).byteLength));
      if (pathname === '/nothing-here') return new Response(null, { status: 404 });
      if (pathname === '/range')
        return new Response('234', { status: 206, headers: { 'Content-Range': 'bytes 2-4/10' } });
      if (pathname === '/events') return new Response(events(), { headers: { 'Content-Type': 'text/event-stream' } });
      return new Response(pathname + search);
    },
  });
  function events(): ReadableStream<Uint8Array> {
    let mine: ReadableStreamDefaultController<Uint8Array>;
    return new ReadableStream({
      start(controller) {
        listeners.add((mine = controller));
        controller.enqueue(new TextEncoder().encode(': begin\n\n'));
      },
      cancel: () => void listeners.delete(mine),
    });
  }
  return {
    port: server.port!,
    seen,
    tell: (data) => {
      for (const listener of listeners) listener.enqueue(new TextEncoder().encode(`data: ${data}\n\n`));
    },
    stop: () => server.stop(true),
  };
}
