import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import type { HeldControl } from './control.ts';
import { LeBureauError } from './faults.ts';
import { LiveStream } from './liveStream.ts';
import type { CallOptions } from './transport.ts';
import type { StreamCreate, StreamTicket } from './types.ts';

type Sockets = new (url: string) => WebSocket;

export interface ConnectOptions extends CallOptions {
  /** Default: the runtime's. Node before 22 has none. */
  WebSocket?: Sockets;
}

const openLimitMs = 30_000;

/** Live sockets of one desktop: its screen (RFB), terminals, and TCP ports. */
export class Streams {
  readonly #api: Api;
  readonly #desktopId: string;
  readonly #held: HeldControl;

  constructor(api: Api, desktopId: string, held: HeldControl) {
    this.#api = api;
    this.#desktopId = desktopId;
    this.#held = held;
  }

  /** The right to open one stream within 30 seconds, for whoever shall open it: a browser, say. */
  ticket(body: StreamCreate, options?: CallOptions): ApiPromise<StreamTicket> {
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/streams', {
        params: { path: { desktopId: this.#desktopId } },
        body,
        ...this.#api.with(options, 'refused'),
      }),
    );
  }

  /** A ticket, and the stream that it opens. @throws LeBureauError when it does not open */
  async connect(body: StreamCreate, options: ConnectOptions = {}): Promise<LiveStream> {
    const { WebSocket: sockets = globalThis.WebSocket as Sockets | undefined, ...call } = options;
    if (sockets === undefined) throw new LeBureauError('This runtime has no WebSocket: give one as `WebSocket`');
    const { path, ticket = '', terminalName } = await this.ticket(body, call);
    const socket = new sockets(this.#api.url(path, { ticket }).replace(/^http/, 'ws'));
    const stream = new LiveStream(socket, terminalName);
    const limit = setTimeout(() => stream.close(), openLimitMs);
    try {
      await stream.opened;
    } finally {
      clearTimeout(limit);
    }
    if (body.mode === 'control' && this.#held.leaseToken !== undefined) stream.useControl(this.#held.leaseToken);
    return stream;
  }

  /** The screen as RFB, for an RFB client. `control` writes while control is held: see `desktop.control`. */
  screen(mode: 'view' | 'control' = 'view', options?: ConnectOptions): Promise<LiveStream> {
    return this.connect({ kind: 'vnc', mode }, options);
  }

  /** A shell. With the same name again it is the same shell, whatever became of the connection. */
  terminal(
    wish: { name?: string; columns?: number; rows?: number; record?: boolean } = {},
    options?: ConnectOptions,
  ): Promise<LiveStream> {
    const { name, ...rest } = wish;
    return this.connect({ kind: 'terminal', ...(name === undefined ? {} : { terminalName: name }), ...rest }, options);
  }

  /** The bytes of a TCP port of the desktop. */
  port(port: number, options?: ConnectOptions): Promise<LiveStream> {
    return this.connect({ kind: 'port', port }, options);
  }
}
