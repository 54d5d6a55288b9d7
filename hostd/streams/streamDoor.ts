import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault, isFault } from '@lebureau/kit/fault';
import { joinEnds } from '@lebureau/kit/joinEnds';
import type { Log } from '@lebureau/kit/log';
import { ServerSocketEnd, type ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import { closeCodes, type StreamEnd } from '@lebureau/kit/streamEnd';
import type { GuestConnection } from '../guest/server/connection.ts';
import { problemResponse } from '../guest/server/problem.ts';
import type { OpenStream, StreamKind } from './kinds.ts';

export interface StreamDoorOptions {
  kinds: Readonly<Record<StreamKind, OpenStream>>;
  /** @throws Fault `not_found`, `not_ready` */
  connect: (assignmentId: string) => GuestConnection;
  clock: Clock;
  log: Log;
}

const streamsPerGuestMax = 100;
/** The API closes a viewer that stalls; this is for an API that does not. */
const stallLimitMs = 120_000;
const path = /^\/guest\/(asg_[0-7][0-9a-hjkmnp-tv-z]{25})\/streams\/([a-z]{1,20})$/;

/** Live streams into guests, for the API. It has checked who comes; here it is looked only where it leads. */
export class StreamDoor {
  readonly #options: StreamDoorOptions;

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
    if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') return undefined;
    const url = new URL(request.url);
    const [, assignmentId, kind] = path.exec(url.pathname) ?? [];
    if (assignmentId === undefined || kind === undefined) return undefined;
    return this.#take({ request, server }, { assignmentId, kind, query: url.searchParams });
  }

  async #take(
    from: { request: Request; server: Bun.Server<ServerSocketData> },
    to: { assignmentId: string; kind: string; query: URLSearchParams },
  ): Promise<Response | undefined> {
    try {
      const open = this.#options.kinds[to.kind as StreamKind] as OpenStream | undefined;
      if (open === undefined) throw new Fault('unsupported', `This node gives no streams of the kind ${to.kind}.`);
      const guest = this.#options.connect(to.assignmentId);
      if (guest.held >= streamsPerGuestMax)
        throw new Fault('rate_limited', `${streamsPerGuestMax} streams of this desktop are open already.`);
      const { assignmentId, query } = to;
      const end = await open({ guest, assignmentId, query });
      return this.#join(from, guest, end);
    } catch (error) {
      const fields = { kind: to.kind, assignmentId: to.assignmentId, error: describeError(error) };
      if (isFault(error)) this.#options.log.debug('stream not opened', fields);
      else this.#options.log.error('stream broke', fields);
      return problemResponse(error, from.request.headers.get('x-request-id')?.slice(0, 100) ?? '');
    }
  }

  #join(
    { request, server }: { request: Request; server: Bun.Server<ServerSocketData> },
    guest: GuestConnection,
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
    });
    if (server.upgrade(request, { data: { end: viewer } })) return undefined;
    this.#open.delete(restart);
    forget();
    viewed.close(closeCodes.normal, 'nobody came');
    throw new Fault('invalid_request', 'That is no WebSocket handshake.');
  }
}
