import { describeError } from '@lebureau/kit/fault';
import { findDesktop } from '../desktops/store.ts';
import type { Caller } from '../keys/auth.ts';
import { credentialOf, stillGood } from '../keys/stillGood.ts';
import { callerTopic } from '../keys/topic.ts';
import type { Services } from '../services.ts';
import { eventTopic } from './record.ts';
import {
  type PlacedEvent,
  type Position,
  checkRetention,
  lastPosition,
  parsePosition,
  positionText,
  readEvents,
} from './store.ts';

export interface EventWish {
  caller: Caller;
  after: string | undefined;
  desktopId: string | undefined;
  types: ReadonlySet<string> | undefined;
  signal: AbortSignal;
}

const batchMax = 100;
const heartbeatMs = 15_000;
/** On Postgres an event becomes readable when older transactions have ended, which wakes nobody. */
const lookAgainMs = { sqlite: heartbeatMs, postgres: 500 };

/** Server-sent events from a position on. Read as fast as the client takes them; nothing is queued for a slow one. */
export async function streamEvents(services: Services, wish: EventWish): Promise<Response> {
  const { database } = services;
  const after = wish.after === undefined ? await lastPosition(database) : parsePosition(wish.after, database.flavour);
  await checkRetention(database, after);
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, wish.signal, services.ending]);
  const follower = new Follower(services, { ...wish, signal }, after);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(encoder.encode(': events follow\n\n')),
      async pull(controller) {
        try {
          const text = await follower.next();
          // Whoever left has closed it.
          if (left.signal.aborted) return;
          if (text === undefined) controller.close();
          else controller.enqueue(encoder.encode(text));
        } catch (error) {
          services.log.warn('event stream ended', { error: describeError(error) });
          controller.close();
        }
      },
      cancel: () => left.abort(),
    },
    { highWaterMark: 1 },
  );
  return new Response(body, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
  });
}

class Follower {
  readonly #services: Services;
  readonly #wish: EventWish;
  #position: Position;
  #spokeMs: number;

  constructor(services: Services, wish: EventWish, after: Position) {
    this.#services = services;
    this.#wish = wish;
    this.#position = after;
    this.#spokeMs = services.clock.monotonicMs();
  }

  /** The next events, or a heartbeat; undefined at the end: the client left or its key stopped working. */
  async next(): Promise<string | undefined> {
    const { database, clock } = this.#services;
    const { caller, signal } = this.#wish;
    while (!signal.aborted) {
      const looked = new AbortController();
      const options = { timeoutMs: lookAgainMs[database.flavour], signal: AbortSignal.any([looked.signal, signal]) };
      const woken = Promise.race([
        database.waitFor(eventTopic(caller.workspaceId), options),
        database.waitFor(callerTopic(caller), options),
      ]);
      const now = await stillGood(database, credentialOf(caller), clock.nowMs());
      const valid = now?.capabilities.has('events:read') === true;
      if (!valid) {
        looked.abort();
        return undefined;
      }
      const text = await this.#read();
      if (text === '' && clock.monotonicMs() - this.#spokeMs < heartbeatMs - 100) await woken;
      looked.abort();
      if (text === '' && clock.monotonicMs() - this.#spokeMs < heartbeatMs - 100) continue;
      this.#spokeMs = clock.monotonicMs();
      return text === '' ? ': still here\n\n' : text;
    }
    return undefined;
  }

  async #read(): Promise<string> {
    const placed = await readEvents(this.#services.database, {
      workspaceId: this.#wish.caller.workspaceId,
      after: this.#position,
      limit: batchMax,
    });
    let text = '';
    for (const each of placed) {
      this.#position = each.position;
      if (await this.#isWanted(each))
        text += `id: ${positionText(each.position)}\nevent: ${each.event.type}\ndata: ${JSON.stringify(each.event)}\n\n`;
    }
    return text;
  }

  async #isWanted({ event }: PlacedEvent): Promise<boolean> {
    const { desktopId, types, caller } = this.#wish;
    if (desktopId !== undefined && event.desktopId !== desktopId) return false;
    if (types !== undefined && !types.has(event.type)) return false;
    if (caller.restriction === null) return true;
    if (event.desktopId === null) return false;
    return (await findDesktop(this.#services.database, caller, event.desktopId)) !== undefined;
  }
}
