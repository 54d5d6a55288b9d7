import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { PagePromise } from './page.ts';
import type { CallOptions } from './transport.ts';
import type { Node } from './types.ts';

export class Nodes {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** By name. Await it for one page, or iterate it for all. */
  list(query: { limit?: number } = {}, options?: CallOptions): PagePromise<Node> {
    return new PagePromise((cursor) => {
      const all = { ...query, ...(cursor === undefined ? {} : { cursor }) };
      const call = this.#api.client.GET('/v1/nodes', { params: { query: all }, ...this.#api.with(options) });
      return answerOf(call).withResponse();
    });
  }

  get(id: string, options?: CallOptions): ApiPromise<Node> {
    const params = { path: { nodeId: id } };
    return answerOf(this.#api.client.GET('/v1/nodes/{nodeId}', { params, ...this.#api.with(options) }));
  }
}
