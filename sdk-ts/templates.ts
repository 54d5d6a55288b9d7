import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { PagePromise } from './page.ts';
import type { CallOptions } from './transport.ts';
import type { Template } from './types.ts';

export class Templates {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Newest first. Await it for one page, or iterate it for all. */
  list(query: { limit?: number } = {}, options?: CallOptions): PagePromise<Template> {
    return new PagePromise((cursor) => {
      const all = { ...query, ...(cursor === undefined ? {} : { cursor }) };
      const call = this.#api.client.GET('/v1/templates', { params: { query: all }, ...this.#api.with(options) });
      return answerOf(call).withResponse();
    });
  }

  get(id: string, options?: CallOptions): ApiPromise<Template> {
    const params = { path: { templateId: id } };
    return answerOf(this.#api.client.GET('/v1/templates/{templateId}', { params, ...this.#api.with(options) }));
  }
}
