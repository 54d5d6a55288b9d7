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

  /** All of them: the API gives them in one page. */
  list(options?: CallOptions): PagePromise<Template> {
    return new PagePromise(() =>
      answerOf(this.#api.client.GET('/v1/templates', this.#api.with(options))).withResponse(),
    );
  }

  get(id: string, options?: CallOptions): ApiPromise<Template> {
    const params = { path: { templateId: id } };
    return answerOf(this.#api.client.GET('/v1/templates/{templateId}', { params, ...this.#api.with(options) }));
  }
}
