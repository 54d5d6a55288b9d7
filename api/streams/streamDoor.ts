import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import { joinEnds } from '@lebureau/kit/joinEnds';
import { ServerSocketEnd, type ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { OpenUses } from '../desktops/openUses.ts';
import type { Usage } from '../desktops/usage.ts';
import type { Gate } from '../http/gate.ts';
import type { Caller } from '../keys/auth.ts';
import { credentialOf } from '../keys/stillGood.ts';
import type { Ways } from '../reach/ways.ts';
import type { Services } from '../services.ts';
import { capabilityFor } from './capabilityFor.ts';
import { type Admitted, admitTicket, dialNode } from './operations.ts';

export interface StreamDoorOptions {
  gate: Pick<Gate, 'fail'>;
  usage: Usage;
  ways: Ways;
  /** Origins of pages that may open streams here without the gateway. */
  origins: readonly string[];
}

const streamsMax = 2000;
const stallLimitMs = 60_000;
const streamPath = /^\/v1\/desktops\/([a-z0-9_]{1,40})\/streams\/([a-z]{1,20})$/;

/**
 * Where sockets come in. A ticket is all that counts, no key and no cookie; a person's is good only together with that
 * person, for whom the gateway speaks: seen over a shoulder or in a log, it opens nothing elsewhere.
 */
export class StreamDoor {
  readonly #services: Services;
  readonly #options: StreamDoorOptions;
  readonly #open: OpenUses;
  #arriving = 0;

  constructor(services: Services, options: StreamDoorOptions) {
    this.#services = services;
    this.#options = options;
    this.#open = new OpenUses(services);
  }

  /** @returns undefined for a request that wants no stream. */
  answer(request: Request, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> | undefined {
    if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') return undefined;
    const url = new URL(request.url);
    const [, desktopId, kind] = streamPath.exec(url.pathname) ?? [];
    if (desktopId === undefined || kind === undefined) return undefined;
    const ticket = url.searchParams.get('ticket') ?? '';
    return this.#take(request, server, { desktopId, kind, ticket });
  }

  async #take(
    request: Request,
    server: Bun.Server<ServerSocketData>,
    to: { desktopId: string; kind: string; ticket: string },
  ): Promise<Response | undefined> {
    this.#arriving += 1;
    try {
      this.#demandOrigin(request.headers.get('origin'));
      if (this.#open.size + this.#arriving > streamsMax)
        throw new Fault('unavailable', 'Too many streams are open.', { retryAfterSeconds: 5 });
      const admitted = await admitTicket(this.#services, to);
      await this.#demandPerson(request.headers.get('authorization'), admitted.caller);
      const node = await dialNode(this.#options.ways, admitted);
      return this.#join(request, server, { admitted, node });
    } catch (error) {
      const requestId = newId('req', this.#services.clock.nowMs());
      return this.#options.gate.fail(error, { requestId, operationId: 'connectStream' });
    } finally {
      this.#arriving -= 1;
    }
  }

  /** A page of somebody else must not use what a person's browser can reach, even with a ticket it got hold of. */
  #demandOrigin(origin: string | null): void {
    if (origin === null || this.#options.origins.includes(origin)) return;
    throw new Fault('origin_refused', 'Pages of this origin may not open streams here.');
  }

  async #demandPerson(authorization: string | null, { session }: Caller): Promise<void> {
    if (session === undefined) return;
    const by = authorization === null ? undefined : await this.#services.authenticator.authenticate(authorization);
    if (by?.session?.userId === session.userId) return;
    throw new Fault(
      'ticket_refused',
      'It was given to a person, and opens a stream only where that person is signed in.',
    );
  }

  #join(
    request: Request,
    server: Bun.Server<ServerSocketData>,
    to: { admitted: Admitted; node: StreamEnd },
  ): Response | undefined {
    const { node } = to;
    const viewer = new ServerSocketEnd();
    const { caller, view, wish } = to.admitted;
    const stream = {
      credential: credentialOf(caller),
      capability: capabilityFor(wish),
      desktopId: view.id,
      machine: { assignmentId: view.assignmentId, nodeId: view.nodeId },
      close: (code: number, reason: string) => {
        viewer.close(code, reason);
        node.close(code, reason);
      },
    };
    const endUse = view.ephemeral === 1 ? this.#options.usage.begin(view.id) : () => {};
    viewer.onOpen(() => joinEnds(viewer, node, { clock: this.#services.clock, stallLimitMs }));
    viewer.onEnded(() => {
      this.#open.remove(stream);
      endUse();
    });
    if (server.upgrade(request, { data: { end: viewer } })) {
      this.#open.add(stream);
      return undefined;
    }
    endUse();
    node.close(1000, 'nobody came');
    throw new Fault('invalid_request', 'That is no WebSocket handshake.');
  }
}
