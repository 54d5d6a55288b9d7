import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { type FollowOptions, followEvents } from './resumed.ts';
import type { ServerSentEvent } from './sse.ts';
import type { CallOptions } from './transport.ts';
import type { Process, ProcessBody, ProcessOutput } from './types.ts';

export type Signal = 'TERM' | 'KILL' | 'INT' | 'HUP' | 'QUIT' | 'USR1' | 'USR2' | 'STOP' | 'CONT';

/** One piece of what a started command says; `exit` is the last. */
export type ProcessEvent =
  | { type: 'stdout' | 'stderr'; text: string; offset: number; nextOffset: number }
  | { type: 'exit'; process: Process };

/** Commands that run longer than one call. */
export class Processes {
  readonly #api: Api;
  readonly #desktopId: string;

  constructor(api: Api, desktopId: string) {
    this.#api = api;
    this.#desktopId = desktopId;
  }

  start(body: ProcessBody, options?: CallOptions): ApiPromise<Process> {
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/processes', {
        params: { path: { desktopId: this.#desktopId } },
        body,
        ...this.#api.with(options, 'refused'),
      }),
    );
  }

  list(options?: CallOptions): ApiPromise<Process[]> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/processes', {
        params: { path: { desktopId: this.#desktopId } },
        ...this.#api.with(options),
      }),
    ).map((answer) => answer.data);
  }

  get(processId: string, options?: CallOptions): ApiPromise<Process> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/processes/{processId}', {
        params: { path: this.#path(processId) },
        ...this.#api.with(options),
      }),
    );
  }

  output(
    processId: string,
    query: { stream?: 'stdout' | 'stderr'; offset?: number; maxBytes?: number } = {},
    options?: CallOptions,
  ): ApiPromise<ProcessOutput> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/processes/{processId}/output', {
        params: { path: this.#path(processId), query },
        ...this.#api.with(options),
      }),
    );
  }

  /** Output as it comes, until the command ends. */
  async *follow(processId: string, options: FollowOptions = {}): AsyncGenerator<ProcessEvent> {
    const { desktopId } = this.#path(processId);
    const path = `/v1/desktops/${encodeURIComponent(desktopId)}/processes/${encodeURIComponent(processId)}/events`;
    const events = followEvents(this.#api, path, { ...options, isLast: (event) => event.event === 'exit' });
    for await (const event of events) {
      const said = processEvent(event);
      if (said) yield said;
    }
  }

  signal(processId: string, signal: Signal, options?: CallOptions): ApiPromise<Process> {
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/processes/{processId}/signal', {
        params: { path: this.#path(processId) },
        body: { signal },
        ...this.#api.with(options, 'refused'),
      }),
    );
  }

  /** Kills it if it runs, and forgets its output. */
  delete(processId: string, options?: CallOptions): ApiPromise<void> {
    return answerOf(
      this.#api.client.DELETE('/v1/desktops/{desktopId}/processes/{processId}', {
        params: { path: this.#path(processId) },
        ...this.#api.with(options),
      }),
    ).map(() => undefined);
  }

  #path(processId: string): { desktopId: string; processId: string } {
    return { desktopId: this.#desktopId, processId };
  }
}

/** @returns undefined for a kind of event that this version does not know. */
function processEvent({ event, data }: ServerSentEvent): ProcessEvent | undefined {
  if (event === 'exit') return { type: 'exit', process: JSON.parse(data) as Process };
  if (event !== 'stdout' && event !== 'stderr') return undefined;
  const piece = JSON.parse(data) as { data: string; offset: number; nextOffset: number };
  return { type: event, text: piece.data, offset: piece.offset, nextOffset: piece.nextOffset };
}
