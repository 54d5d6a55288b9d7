import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { PagePromise } from './page.ts';
import type { CallOptions } from './transport.ts';
import type { Key, KeyCreate, KeyCreated } from './types.ts';

export class Keys {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The answer holds the key itself, this once. */
  create(body: KeyCreate, options?: CallOptions): ApiPromise<KeyCreated> {
    return answerOf(this.#api.client.POST('/v1/keys', { body, ...this.#api.with(options) }));
  }

  list(query: { limit?: number } = {}, options?: CallOptions): PagePromise<Key> {
    return new PagePromise((cursor) => {
      const all = { ...query, ...(cursor === undefined ? {} : { cursor }) };
      const call = this.#api.client.GET('/v1/keys', { params: { query: all }, ...this.#api.with(options) });
      return answerOf(call).withResponse();
    });
  }

  /** It stops working at once. */
  revoke(id: string, options?: CallOptions): ApiPromise<void> {
    const params = { path: { keyId: id } };
    return answerOf(this.#api.client.DELETE('/v1/keys/{keyId}', { params, ...this.#api.with(options) })).map(
      () => undefined,
    );
  }
}
