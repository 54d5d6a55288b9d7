import type { Api } from './api.ts';
import { AbortedError, ApiError } from './faults.ts';
import { backoffMs } from './retry.ts';
import { type ServerSentEvent, parseEvents } from './sse.ts';

export interface FollowOptions {
  signal?: AbortSignal | undefined;
  /** Where to go on: the id of the last event seen. */
  lastEventId?: string | undefined;
  /** Connections that fail one after the other before it gives up. Default 10. */
  failuresMax?: number | undefined;
}

/**
 * Events of one stream, connected again after a break from the last event seen. It ends when `isLast` says so or when
 * the signal aborts, and throws what the API answers when it refuses.
 */
export async function* followEvents(
  api: Api,
  path: string,
  options: FollowOptions & { query?: Record<string, string | undefined>; isLast?: (event: ServerSentEvent) => boolean },
): AsyncGenerator<ServerSentEvent> {
  let lastEventId = options.lastEventId;
  let failures = 0;
  while (!options.signal?.aborted) {
    try {
      const body = await open(api, path, { ...options, lastEventId });
      for await (const event of parseEvents(body)) {
        failures = 0;
        lastEventId = event.id ?? lastEventId;
        yield event;
        if (options.isLast?.(event)) return;
      }
    } catch (error) {
      if (error instanceof AbortedError || options.signal?.aborted) return;
      if (error instanceof ApiError && !error.retryable) throw error;
      if (++failures > (options.failuresMax ?? 10)) throw error;
    }
    await sleep(backoffMs(failures), options.signal);
  }
}

async function open(
  api: Api,
  path: string,
  options: FollowOptions & { query?: Record<string, string | undefined> },
): Promise<ReadableStream<Uint8Array>> {
  const response = await api.transport.send({
    method: 'GET',
    url: api.url(path, options.query),
    headers: {
      accept: 'text/event-stream',
      ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
    },
    options: { signal: options.signal },
    retry: 'any',
    streamed: true,
  });
  return response.body ?? new ReadableStream({ start: (controller) => controller.close() });
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
