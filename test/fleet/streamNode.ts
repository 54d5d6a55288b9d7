import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { type ServerSocketData, serverSocketHandlers } from '@lebureau/kit/serverSocketEnd';
import { silentLog } from '@lebureau/kit/log';
import type { GuestConnection } from '../../hostd/guest/server/connection.ts';
import { serveGuests } from '../../hostd/guest/server/server.ts';
import { openLive } from '../../hostd/streams/openLive.ts';

/**
 * hostd's own half of live streams, in front of guests that are TCP servers of this machine. On a Unix socket, as the API
 * dials it, and on a port for comparisons with what listens on nothing else.
 */
export function runStreamNode(options: { socket: string; port: number; display: number; listenPort: number }): void {
  const live = openLive({
    home: mkdtempSync(join(tmpdir(), 'lb-stream-node-')),
    clock: systemClock,
    log: silentLog,
    onControl: () => {},
    versionOf: () => 0,
    giveRecording: () => Promise.reject(new Error('nothing moves here')),
  });
  const guests = new Map<string, GuestConnection>();
  const of = (assignmentId: string) => {
    const known = guests.get(assignmentId) ?? guestOf(options);
    guests.set(assignmentId, known);
    return known;
  };
  const streams = live.door(of);
  Bun.serve<ServerSocketData>({
    hostname: '127.0.0.1',
    port: options.listenPort,
    fetch: (request, server) => streams.answer(request, server) ?? new Response(null, { status: 404 }),
    websocket: serverSocketHandlers,
  });
  serveGuests({
    socket: options.socket,
    handlers: live.guard({}),
    connect: of,
    streams,
    clock: systemClock,
    log: silentLog,
  });
}

/** As much of a guest as streams use. */
function guestOf({ port, display }: { port: number; display: number }): GuestConnection {
  const open = new Set<() => void>();
  const driver = {
    openPort: (_vmRef: string, wanted: number) => reach(port + wanted),
    openDisplay: async () => ({ stream: await reach(display) }),
  };
  return {
    parts: { driver, vmRef: '', clock: systemClock, log: silentLog },
    eyes: { letGo: () => Promise.resolve() },
    hold: (end: () => void) => {
      open.add(end);
      return () => open.delete(end);
    },
    get held() {
      return open.size;
    },
  } as unknown as GuestConnection;
}

function reach(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
