import type { paths } from '@lebureau/sdk/generated/public';
import createClient, { type Middleware } from 'openapi-fetch';
import { session } from './session.ts';

/** What the API said was wrong. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;

  constructor(status: number, body: { code?: string; detail?: string; hint?: string; requestId?: string }) {
    super(body.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.code = body.code ?? 'internal';
    this.hint = body.hint;
    this.requestId = body.requestId;
  }
}

/** With the cookie, the token of the session, and a key that makes sending again harmless. */
const asUs: Middleware = {
  onRequest({ request }) {
    if (request.method === 'GET') return undefined;
    request.headers.set('X-CSRF-Token', session.get()?.csrfToken ?? '');
    if (request.method === 'POST') request.headers.set('Idempotency-Key', crypto.randomUUID());
    return request;
  },
  onResponse({ response }) {
    // The session ended: sign in again, and come back here.
    if (response.status === 401) {
      const returnTo = encodeURIComponent(location.pathname + location.search);
      location.assign(`/sign-in?returnTo=${returnTo}`);
    }
  },
};

export const client = createClient<paths>({ baseUrl: location.origin });
client.use(asUs);

/** The data of an answer. @throws ApiProblem */
export async function dataOf<Data>(
  call: Promise<{ data?: Data; error?: unknown; response: Response }>,
): Promise<NonNullable<Data>> {
  const { data, error, response } = await call;
  if (response.ok) return data as NonNullable<Data>;
  throw new ApiProblem(response.status, (error ?? {}) as object);
}
