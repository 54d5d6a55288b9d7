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

  /** All of them: the API gives them in one page. */
  list(options?: CallOptions): PagePromise<Node> {
    return new PagePromise(() => answerOf(this.#api.client.GET('/v1/nodes', this.#api.with(options))).withResponse());
  }

  get(id: string, options?: CallOptions): ApiPromise<Node> {
    const params = { path: { nodeId: id } };
    return answerOf(this.#api.client.GET('/v1/nodes/{nodeId}', { params, ...this.#api.with(options) }));
  }
}
