import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import type { CallOptions } from './transport.ts';
import type { Terminal } from './types.ts';

/** The terminals of one desktop, shown or not; `desktop.streams.terminal` shows one. */
export class Terminals {
  readonly #api: Api;
  readonly #desktopId: string;

  constructor(api: Api, desktopId: string) {
    this.#api = api;
    this.#desktopId = desktopId;
  }

  list(options?: CallOptions): ApiPromise<Terminal[]> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/terminals', {
        params: { path: { desktopId: this.#desktopId } },
        ...this.#api.with(options),
      }),
    ).map((answer) => answer.data);
  }

  /** Ends it, and what runs in it; its recording goes with it. */
  delete(terminalName: string, options?: CallOptions): ApiPromise<void> {
    return answerOf(
      this.#api.client.DELETE('/v1/desktops/{desktopId}/terminals/{terminalName}', {
        params: { path: { desktopId: this.#desktopId, terminalName } },
        ...this.#api.with(options),
      }),
    ).map(() => undefined);
  }

  /** What it showed, as asciicast v2. */
  async recording(terminalName: string, options: CallOptions = {}): Promise<string> {
    const url = this.#api.url(`/v1/desktops/${this.#desktopId}/terminals/${terminalName}/recording`);
    return (await this.#api.transport.send({ method: 'GET', url, options, retry: 'any' })).text();
  }
}
