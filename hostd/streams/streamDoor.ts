import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault, isFault } from '@lebureau/kit/fault';
import { joinEnds } from '@lebureau/kit/joinEnds';
import type { Log } from '@lebureau/kit/log';
import { ServerSocketEnd, type ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import { closeCodes, type StreamEnd } from '@lebureau/kit/streamEnd';
import type { GuestConnection } from '../guest/server/connection.ts';
import { problemResponse } from '../guest/server/problem.ts';
import type { OpenStream, StreamKind } from './kinds.ts';
import { type PlaceWish, StreamPlaces } from './streamPlaces.ts';

export interface StreamDoorOptions {
  kinds: Readonly<Record<StreamKind, OpenStream>>;
  /** @throws Fault `not_found`, `not_ready` */
  connect: (assignmentId: string) => GuestConnection;
  clock: Clock;
  log: Log;
}

/** The API closes a viewer that stalls; this is for an API that does not. */
const stallLimitMs = 120_000;
const path = /^\/guest\/(asg_[0-7][0-9a-hjkmnp-tv-z]{25})\/streams\/([a-z]{1,20})$/;

/** Where a request leads to, and for whom. */
interface Asked {
  assignmentId: string;
  kind: string;
  query: URLSearchParams;
  behind: string;
}

/**
 * Live streams into guests, for the API. It has checked who comes; here it is looked only where it leads, and that nobody
 * has so many that there are none for others.
 */
export class StreamDoor {
  readonly #options: StreamDoorOptions;
  readonly #places = new StreamPlaces();
  readonly #open = new Set<() => void>();

  constructor(options: StreamDoorOptions) {
    this.#options = options;
  }

  /** hostd stops: viewers come again by themselves. */
  close(): void {
    for (const end of this.#open) end();
  }

  /** @returns undefined for a request that wants no stream */
  answer(request: Request, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> | undefined {
    const url = new URL(request.url);
    const [, assignmentId, kind] = path.exec(url.pathname) ?? [];
    if (assignmentId === undefined || kind === undefined) return undefined;
    // An API that is older says only which key, or which person, asks.
    const behind = request.headers.get('x-behind') ?? request.headers.get('x-caller') ?? '';
    const to = { assignmentId, kind, query: url.searchParams, behind };
    if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') return this.#take({ request, server }, to);
    return request.method === 'GET' ? this.#ask(request, to) : undefined;
  }

  /** Whether such a stream could be opened now. Browsers cannot read why a socket was refused. */
  #ask(request: Request, to: Asked): Promise<Response> {
    try {
      this.#find(to);
      this.#places.demandRoom(placeOf(to));
      return Promise.resolve(new Response(null, { status: 204 }));
    } catch (error) {
      return Promise.resolve(this.#refusal(error, request, to));
    }
  }

  async #take(
    from: { request: Request; server: Bun.Server<ServerSocketData> },
    to: Asked,
  ): Promise<Response | undefined> {
    let leave = () => {};
    try {
      const { open, guest } = this.#find(to);
      leave = this.#places.take(placeOf(to));
      const { assignmentId, query } = to;
      const end = await open({ guest, assignmentId, query });
      return this.#join(from, { guest, leave }, end);
    } catch (error) {
      leave();
      return this.#refusal(error, from.request, to);
    }
  }

  /** @throws Fault `unsupported`, `not_found`, `not_ready` */
  #find({ kind, assignmentId }: Asked): { open: OpenStream; guest: GuestConnection } {
    const open = this.#options.kinds[kind as StreamKind] as OpenStream | undefined;
    if (open === undefined) throw new Fault('unsupported', `This node gives no streams of the kind ${kind}.`);
    return { open, guest: this.#options.connect(assignmentId) };
  }

  #refusal(error: unknown, request: Request, { kind, assignmentId }: Asked): Response {
    const fields = { kind, assignmentId, error: describeError(error) };
    if (isFault(error)) this.#options.log.debug('stream not opened', fields);
    else this.#options.log.error('stream broke', fields);
    return problemResponse(error, request.headers.get('x-request-id')?.slice(0, 100) ?? '');
  }

  #join(
    { request, server }: { request: Request; server: Bun.Server<ServerSocketData> },
    { guest, leave }: { guest: GuestConnection; leave: () => void },
    viewed: StreamEnd,
  ): Response | undefined {
    const viewer = new ServerSocketEnd();
    const close = (code: number, reason: string) => {
      viewer.close(code, reason);
      viewed.close(code, reason);
    };
    const forget = guest.hold((why) => {
      if (why === 'moved') close(closeCodes.restarting, 'the desktop moved');
      else close(closeCodes.gone, 'the desktop is gone');
    });
    const restart = () => close(closeCodes.restarting, 'hostd restarts');
    this.#open.add(restart);
    viewer.onOpen(() => joinEnds(viewer, viewed, { clock: this.#options.clock, stallLimitMs }));
    viewer.onEnded(() => {
      this.#open.delete(restart);
      forget();
      leave();
    });
    if (server.upgrade(request, { data: { end: viewer } })) return undefined;
    this.#open.delete(restart);
    forget();
    viewed.close(closeCodes.normal, 'nobody came');
    throw new Fault('invalid_request', 'That is no WebSocket handshake.');
  }
}

function placeOf({ assignmentId, kind, query, behind }: Asked): PlaceWish {
  const watches = kind === 'vnc' && query.get('mode') !== 'control';
  return { assignmentId, behind, kind: kind as StreamKind, watches };
}
