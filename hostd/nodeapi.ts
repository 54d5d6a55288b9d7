import { readFileSync } from 'node:fs';
import { Fault } from '@lebureau/kit/fault';
import type { AssignmentList, NodeWelcome, ObservationReceipt, OrderDesk } from './orders.ts';

export interface NodeApiOptions {
  /** `unix:/path` or `https://…`. */
  address: string;
  /** Files for mutual authentication over https. */
  tls?: { ca?: string; cert?: string; key?: string };
}

/** A list of 5,000 orders with their configuration stays far below it. */
const answerMaxBytes = 512 * 1_048_576;

/** The node contract as a client. Time limits are the callers', by their signals. */
export function connectNodeApi(options: NodeApiOptions): OrderDesk {
  const call = <Answer>(path: string, signal: AbortSignal, body?: unknown) =>
    ask<Answer>(options, path, { signal, body });
  return {
    hello: (hello, signal) => call<NodeWelcome>('/node/v1/hello', signal, hello),
    report: (report, signal) => call<ObservationReceipt>('/node/v1/observations', signal, report),
    assignments: (ask, signal) => {
      const query = new URLSearchParams({ epoch: String(ask.epoch), waitSeconds: String(ask.waitSeconds) });
      if (ask.after !== undefined) query.set('after', ask.after);
      return call<AssignmentList>(`/node/v1/assignments?${query.toString()}`, signal);
    },
  };
}

async function ask<Answer>(
  options: NodeApiOptions,
  path: string,
  request: { signal: AbortSignal; body?: unknown },
): Promise<Answer> {
  const { signal, body } = request;
  const isUnix = options.address.startsWith('unix:');
  const response = await fetch(`${isUnix ? 'http://localhost' : options.address}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    redirect: 'error',
    ...(isUnix ? { unix: options.address.slice('unix:'.length) } : { tls: tlsOf(options) }),
  }).catch((error: unknown) => {
    throw new Fault('api_unreachable', 'The API does not answer.', { cause: error });
  });
  if (Number(response.headers.get('content-length') ?? 0) > answerMaxBytes) {
    throw new Fault('api_unreachable', 'The API answered too much.');
  }
  const answer: unknown = await response.json().catch((error: unknown) => {
    throw new Fault('api_unreachable', `The API answered ${response.status} without JSON.`, { cause: error });
  });
  if (response.ok) return answer as Answer;
  const { code, detail } = answer as { code?: unknown; detail?: unknown };
  throw new Fault(
    typeof code === 'string' ? code : 'api_unreachable',
    `The API answered ${response.status}: ${String(detail)}`,
  );
}

function tlsOf({ tls }: NodeApiOptions) {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  return { ca: read(tls?.ca), cert: read(tls?.cert), key: read(tls?.key) };
}
