import type { Api } from './api.ts';
import { type FollowOptions, followEvents } from './resumed.ts';
import type { Event } from './types.ts';

export class Events {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
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
