import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteBudget } from '@lebureau/kit/byteBudget';
import { dialSocketEnd, NotSwitched } from '@lebureau/kit/dialSocketEnd';
import { DuplexEnd } from '@lebureau/kit/duplexEnd';
import { Fault, isFault } from '@lebureau/kit/fault';
import { joinEnds } from '@lebureau/kit/joinEnds';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { apiAddress } from '../apiAddress.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { Tries } from '../tries.ts';
import type { Place } from './place.ts';

/** Who may open which port. */
export interface Grant extends Place {
  userId: string;
  sessionId: string;
}

/** A Unix socket behind which the port of the guest is, for one session alone. */
export interface Way {
  path: string;
  /** Of messages of WebSockets that the guest has begun; all ways of one person share it. */
  unfinished: ByteBudget;
  /** Why the newest connection did not come about. */
  refusal: Fault | undefined;
}

interface OpenWay extends Way {
  server: Server;
  sessionId: string;
  userId: string;
  sockets: Set<Socket>;
  usedMs: number;
  listening: Promise<void>;
}

const waysMax = 1000;
const idleMs = 600_000;
const connectionsMax = 128;
const connectionsOfSessionMax = 48;
const unfinishedMaxBytes = 64 * 1_048_576;
const unfinishedOfPersonMaxBytes = 16 * 1_048_576;
const askLimitMs = 30_000;
const stallLimitMs = 60_000;
/** A web server may take its time over an upload. */
const heldLimitMs = 300_000;
/** Of a person, 900 in the first minute: fewer than the API gives, so that no page keeps its viewer from screens and terminals. */
const dialsLimit = { burst: 300, everyMs: 100 };

/**
 * The ways into ports of guests. Each connection is a stream of its own (docs/streams.md): a ticket for who is signed in
 * opens it, and the API ends it when the session, the role or the desktop is gone. What is kept open between two requests
 * is kept for the same session only.
 */
export class PreviewWays {
  readonly #parts: GatewayParts;
  readonly #folder: string;
  /** Nobody waits between looking here and entering: two requests at once get the same way, and each way can be closed. */
  readonly #ways = new Map<string, OpenWay>();
  readonly #dials: Tries;
  readonly #unfinished = new ByteBudget(unfinishedMaxBytes);
  #opened = 0;
  #connections = 0;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#dials = new Tries(parts.clock, dialsLimit);
    this.#folder = mkdtempSync(join(tmpdir(), 'lebureau-preview-'));
  }

  /** @throws Fault `unavailable` when too many are in use */
  async to(grant: Grant): Promise<Way> {
    const name = [grant.sessionId, grant.desktopId, grant.port].join(' ');
    let way = this.#ways.get(name);
    if (way === undefined) {
      this.#forgetIdle();
      way = this.#open(grant);
      this.#ways.set(name, way);
      way.listening.catch(() => this.#ways.delete(name));
    }
    way.usedMs = this.#parts.clock.monotonicMs();
    await way.listening;
    return way;
  }

  close(): void {
    for (const way of this.#ways.values()) end(way);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #forgetIdle(): void {
    const longAgo = this.#parts.clock.monotonicMs() - idleMs;
    for (const [name, way] of this.#ways) {
      if (way.sockets.size > 0 || way.usedMs > longAgo) continue;
      this.#ways.delete(name);
      end(way);
    }
    if (this.#ways.size >= waysMax) throw new Fault('unavailable', 'Too many previews are open.');
  }

  #open(grant: Grant): OpenWay {
    const path = join(this.#folder, String((this.#opened += 1)));
    const server = createServer((socket) => void this.#carry(socket, grant, way));
    const { sessionId, userId } = grant;
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    }).then(() => chmodSync(path, 0o600));
    // By whatever sessions they come: nobody signs in again for more.
    const ofPerson = [...this.#ways.values()].find((each) => each.userId === userId);
    const unfinished = ofPerson?.unfinished ?? new ByteBudget(unfinishedOfPersonMaxBytes, this.#unfinished);
    const way: OpenWay = {
      path,
      server,
      sessionId,
      userId,
      unfinished,
      sockets: new Set(),
      refusal: undefined,
      usedMs: 0,
      listening,
    };
    return way;
  }

  async #carry(socket: Socket, grant: Grant, way: OpenWay): Promise<void> {
    this.#connections += 1;
    way.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections -= 1;
      way.sockets.delete(socket);
    });
    socket.pause();
    try {
      this.#demandRoom(grant);
      const stream = await this.#dial(grant);
      way.refusal = undefined;
      if (socket.destroyed) stream.close(1000, 'nobody waits');
      // A request that was given up is not seen to be while its guest reads nothing of it.
      else joinEnds(new DuplexEnd(socket), stream, { clock: this.#parts.clock, stallLimitMs, heldLimitMs });
    } catch (error) {
      way.refusal = isFault(error) ? error : new Fault('unavailable', 'The API cannot be reached.', { cause: error });
      socket.destroy();
    }
  }

  /** @throws Fault `unavailable`, `rate_limited` */
  #demandRoom({ sessionId, userId }: Grant): void {
    let ofSession = 0;
    for (const way of this.#ways.values()) if (way.sessionId === sessionId) ofSession += way.sockets.size;
    if (this.#connections > connectionsMax || ofSession > connectionsOfSessionMax)
      throw new Fault('unavailable', 'Too many connections of previews are open.');
    if (this.#dials.take(userId) > 0)
      throw new Fault('rate_limited', 'Pages of desktops opened too many connections. Wait a few seconds.');
  }

  /** @throws Fault of the API or the node, as its problem says */
  async #dial({ userId, sessionId, desktopId, port }: Grant): Promise<StreamEnd> {
    const { config, assertions } = this.#parts;
    const headers = { authorization: `Bearer ${await assertions.of({ userId, sessionId })}` };
    const answer = await fetch(`${config.apiUrl}/v1/desktops/${desktopId}/streams`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'port', port }),
      redirect: 'error',
      signal: AbortSignal.timeout(askLimitMs),
    });
    const text = await answer.text();
    if (answer.status !== 201) throw faultOf(text);
    const { path, ticket } = JSON.parse(text) as { path: string; ticket: string };
    const to = apiAddress(config.apiUrl);
    try {
      return await dialSocketEnd({ to, path: `${path}?ticket=${ticket}`, headers, limitMs: askLimitMs });
    } catch (error) {
      throw error instanceof NotSwitched ? faultOf(error.body) : error;
    }
  }
}

function end({ server, sockets, path }: OpenWay): void {
  server.close();
  for (const socket of sockets) socket.destroy();
  rmSync(path, { force: true });
}

function faultOf(text: string): Fault {
  try {
    const { code, detail } = JSON.parse(text) as { code?: string; detail?: string };
    return new Fault(code ?? 'unavailable', detail ?? '');
  } catch (error) {
    return new Fault('unavailable', 'The API did not answer as it should.', { cause: error });
  }
}
