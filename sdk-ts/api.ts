import createClient, { type Client } from 'openapi-fetch';
import { ApiPromise } from './apiPromise.ts';
import type { paths } from './generated/public.ts';
import type { RetryPolicy } from './retry.ts';
import type { CallOptions, Transport } from './transport.ts';

/** What openapi-fetch builds in place of a `Request`: parts that can be sent more than once. */
class RequestParts {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: RequestInit['body'];

  constructor(url: string, init: RequestInit) {
    this.url = url;
    this.method = init.method ?? 'GET';
    this.headers = new Headers(init.headers);
    this.body = init.body ?? null;
  }
}

/** The contract's paths, typed, on top of the transport. */
export class Api {
  readonly transport: Transport;
  readonly client: Client<paths>;

  readonly #headers: () => Record<string, string>;

  constructor(transport: Transport, shared?: { client: Client<paths>; headers: () => Record<string, string> }) {
    this.transport = transport;
    this.#headers = shared?.headers ?? (() => ({}));
    this.client = shared?.client ?? newClient(transport);
  }

  /** The same with these headers in each call of `with`. */
  carrying(headers: () => Record<string, string>): Api {
    return new Api(this.transport, { client: this.client, headers });
  }

  /** Options of one call for openapi-fetch. */
  with(options: CallOptions = {}, retry: RetryPolicy = 'any'): { fetch: (request: Request) => Promise<Response> } {
    return {
      fetch: async (request) => {
        const { url, method, headers, body } = request as unknown as RequestParts;
        // With a key the API carries it out once, however often it comes.
        const policy = options.idempotencyKey === undefined ? retry : 'any';
        const parts = { url, method, headers: { ...this.#headers(), ...Object.fromEntries(headers) }, body };
        return await this.transport.send({ ...parts, options, retry: policy });
      },
    };
  }

  /** The address of a path outside of openapi-fetch, for bodies and answers that are streamed. */
  url(path: string, query: Record<string, string | number | boolean | undefined> = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value));
    }
    const text = search.toString();
    return `${this.transport.baseUrl}${path}${text === '' ? '' : `?${text}`}`;
  }
}

function newClient({ baseUrl }: Transport): Client<paths> {
  return createClient<paths>({ baseUrl, Request: RequestParts as unknown as typeof Request });
}

/** @param call what openapi-fetch gives back; errors have been thrown by the transport. */
export function answerOf<Data>(call: Promise<{ data?: Data; response: Response }>): ApiPromise<Data> {
  return new ApiPromise(
    call.then(({ data, response }) => ({
      data: data as Data,
      response,
      requestId: response.headers.get('x-request-id'),
    })),
  );
}
