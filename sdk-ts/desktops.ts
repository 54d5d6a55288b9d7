import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { Desktop } from './desktop.ts';
import { PagePromise } from './page.ts';
import type { CallOptions } from './transport.ts';
import type { DesktopCreate, DesktopStatus } from './types.ts';

export interface DesktopFilter {
  status?: DesktopStatus;
  /** `key=value` or `key`. */
  label?: string;
  name?: string;
  /** Of a page, 1 to 100. */
  limit?: number;
  /** Where a page starts: `nextCursor` of the one before. */
  cursor?: string;
}

export class Desktops {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Answers at once with status `pending`; `await desktop.wait()` for a desktop that can be used. */
  create(body: DesktopCreate = {}, options?: CallOptions): ApiPromise<Desktop> {
    const call = this.#api.client.POST('/v1/desktops', { body, ...this.#api.with(options) });
    return answerOf(call).map((data) => new Desktop(this.#api, data.id, data));
  }

  get(id: string, options?: CallOptions): ApiPromise<Desktop> {
    const call = this.#api.client.GET('/v1/desktops/{desktopId}', {
      params: { path: { desktopId: id } },
      ...this.#api.with(options),
    });
    return answerOf(call).map((data) => new Desktop(this.#api, id, data));
  }

  /** Await it for one page, or iterate it for all. */
  list(filter: DesktopFilter = {}, options?: CallOptions): PagePromise<Desktop> {
    return new PagePromise(async (cursor) => {
      const query = { ...filter, ...(cursor === undefined ? {} : { cursor }) };
      const call = this.#api.client.GET('/v1/desktops', { params: { query }, ...this.#api.with(options) });
      return await answerOf(call)
        .map((page) => ({ ...page, data: page.data.map((data) => new Desktop(this.#api, data.id, data)) }))
        .withResponse();
    });
  }
}
