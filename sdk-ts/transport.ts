import { AbortedError, CallTimeoutError, ConnectionError, LeBureauError } from './faults.ts';
import { faultOf } from './faultOf.ts';
import { pause } from './pause.ts';
import { type RetryPolicy, backoffMs, retryAfterMs, shouldRetry } from './retry.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Of each try. Default 60,000; 0 is none. */
  timeoutMs?: number | undefined;
  /** Tries after the first. Default 2. */
  retriesMax?: number | undefined;
  /**
   * Default: a new one for each POST that makes or changes a resource, the same on every try. For mouse, keys and shell
   * there is none; give one, and they are tried again like everything else.
   */
  idempotencyKey?: string | undefined;
}

export interface TransportOptions {
  baseUrl: string;
  apiKey: string | (() => string | Promise<string>);
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  timeoutMs: number;
  retriesMax: number;
  userAgent: string | undefined;
}

export interface Call {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: RequestInit['body'];
  options: CallOptions;
  retry: RetryPolicy;
  /** True: the body of the answer is left unread, and the time limit ends with the headers. */
  streamed?: boolean;
}

/** Sends requests: key, time limit, retries, idempotency, and errors as exceptions. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get baseUrl(): string {
    return this.#options.baseUrl;
  }

  /** @returns an answer with a 2xx or 304 status. @throws LeBureauError */
  async send(call: Call): Promise<Response> {
    const retriesMax = call.options.retriesMax ?? this.#options.retriesMax;
    const headers = await this.#headers(call);
    for (let retry = 0; ; retry++) {
      const outcome = await this.#try(call, headers);
      if (outcome instanceof Response) {
        if (outcome.ok || outcome.status === 304) return outcome;
        const fault = await faultOf(outcome);
        if (retry >= retriesMax || !shouldRetry(call.retry, fault)) throw fault;
        await pause(retryAfterMs(outcome) ?? backoffMs(retry), call.options.signal);
      } else {
        if (retry >= retriesMax || !shouldRetry(call.retry, outcome)) throw outcome;
        await pause(backoffMs(retry), call.options.signal);
      }
    }
  }

  async #headers(call: Call): Promise<Record<string, string>> {
    const { apiKey, userAgent } = this.#options;
    const headers: Record<string, string> = { accept: 'application/json', ...call.headers };
    headers.authorization = `Bearer ${typeof apiKey === 'string' ? apiKey : await apiKey()}`;
    if (userAgent) headers['user-agent'] = userAgent;
    const idempotencyKey = idempotencyKeyOf(call);
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    return headers;
  }

  async #try(call: Call, headers: Record<string, string>): Promise<Response | LeBureauError> {
    const limit = new TimeLimit(call.options.timeoutMs ?? this.#options.timeoutMs, call.options.signal);
    try {
      limit.signal.throwIfAborted();
      const response = await this.#options.fetch(call.url, init(call, headers, limit.signal));
      if (call.streamed && response.ok) return response;
      // The whole answer is read within the time limit, so that a connection that breaks half way is retried too.
      const text = await response.text();
      const body = response.status === 204 || response.status === 304 ? null : text;
      return new Response(body, { status: response.status, headers: response.headers });
    } catch (error) {
      return limit.explain(error, call);
    } finally {
      limit.end(call.streamed ?? false);
    }
  }
}

/** What is sent again only when nothing was done needs no key, and a key costs the API a durable write. */
function idempotencyKeyOf({ method, options, retry }: Call): string | undefined {
  if (method !== 'POST') return undefined;
  return options.idempotencyKey ?? (retry === 'any' ? crypto.randomUUID() : undefined);
}

function init(call: Call, headers: Record<string, string>, signal: AbortSignal): RequestInit {
  const request: RequestInit & { duplex?: 'half' } = { method: call.method, headers, signal, redirect: 'error' };
  if (call.body !== undefined && call.body !== null) request.body = call.body;
  if (call.body instanceof ReadableStream) request.duplex = 'half';
  return request;
}

/** One signal out of the caller's and a timer. Once ended, only the caller's still aborts a stream. */
class TimeLimit {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #timeoutMs: number;
  #timedOut = false;
  readonly #forward = () => this.#controller.abort(this.#outer?.reason);

  constructor(timeoutMs: number, outer: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#outer = outer;
    if (outer?.aborted) this.#forward();
    else outer?.addEventListener('abort', this.#forward, { once: true });
    if (timeoutMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timedOut = true;
        this.#controller.abort();
      }, timeoutMs);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(streamed: boolean): void {
    clearTimeout(this.#timer);
    if (!streamed) this.#outer?.removeEventListener('abort', this.#forward);
  }

  explain(cause: unknown, call: Call): LeBureauError {
    const what = `${call.method} ${call.url}`;
    if (this.#timedOut) return new CallTimeoutError(`${what} took longer than ${this.#timeoutMs} ms`, { cause });
    if (this.#outer?.aborted) return new AbortedError(`${what} was aborted`, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new ConnectionError(`${what} failed: ${reason}`, { cause });
  }
}
