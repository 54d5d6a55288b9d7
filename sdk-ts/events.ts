import { type Api, answerOf } from './api.ts';
import { type FollowOptions, followEvents } from './resumed.ts';
import { PagePromise } from './page.ts';
import type { CallOptions } from './transport.ts';
import type { Event } from './types.ts';

export class Events {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** What happened to a desktop, the newest first, as far back as it is kept. `type`: types by comma. */
  list(desktopId: string, query: { limit?: number; type?: string } = {}, options?: CallOptions): PagePromise<Event> {
    return new PagePromise((cursor) => {
      const params = { path: { desktopId }, query: { ...query, ...(cursor === undefined ? {} : { cursor }) } };
      const call = this.#api.client.GET('/v1/desktops/{desktopId}/events', { params, ...this.#api.with(options) });
      return answerOf(call).withResponse();
    });
  }

  /**
   * What happens from now on, or after `lastEventId`, each event once and in order, over as many connections as it
   * takes. Ends when `signal` aborts. A position past retention throws `PositionExpiredError`.
   */
  async *stream(options: FollowOptions & { desktopId?: string; type?: Event['type'] } = {}): AsyncGenerator<Event> {
    const { desktopId, type, ...follow } = options;
    for await (const event of followEvents(this.#api, '/v1/events', { ...follow, query: { desktopId, type } })) {
      yield JSON.parse(event.data) as Event;
    }
  }
}
