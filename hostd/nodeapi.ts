import { Fault } from '@lebureau/kit/fault';
import type { ApiAddresses } from './apiAddresses.ts';
import type { GivenRecording } from './streams/leftRecordings.ts';
import type { AssignmentList, MetricsReceipt, NodeWelcome, ObservationReceipt, OrderDesk } from './orders.ts';

export interface NodeApiOptions {
  /** Each `unix:/path` or `https://…`. */
  addresses: ApiAddresses;
  /** Over https: what to trust and who we are, asked for each call since certificates are renewed. */
  tls?: () => object;
}

/** A list of 5,000 orders with their configuration stays far below it. */
const answerMaxBytes = 512 * 1_048_576;

/** The node contract as a client. Time limits are the callers', by their signals. */
export function connectNodeApi(options: NodeApiOptions): OrderDesk {
  const call = <Answer>(path: string, signal: AbortSignal, body?: unknown) =>
    askOne<Answer>(options, path, { signal, body });
  return {
    hello: (hello, signal) => call<NodeWelcome>('/node/v1/hello', signal, hello),
    report: (report, signal) => call<ObservationReceipt>('/node/v1/observations', signal, report),
    metrics: (report, signal) => call<MetricsReceipt>('/node/v1/metrics', signal, report),
    assignments: (ask, signal) => {
      const query = new URLSearchParams({ epoch: String(ask.epoch), waitSeconds: String(ask.waitSeconds) });
      if (ask.after !== undefined) query.set('after', ask.after);
      return call<AssignmentList>(`/node/v1/assignments?${query.toString()}`, signal);
    },
  };
}

/** Gives the API a piece of a recording of a desktop that went to another node. */
export function giveRecording(options: NodeApiOptions, given: GivenRecording, signal: AbortSignal) {
  const { assignmentId, terminalName, bytes, ...query } = given;
  const sent = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) sent.set(name, String(value));
  const path = `/node/v1/recordings/${assignmentId}/${terminalName}?${sent.toString()}`;
  return askOne<{ isWanted: boolean }>(options, path, { signal, bytes });
}

/** Asks the API to certify another key of this node. */
export function renewCertificate(
  options: NodeApiOptions,
  certificateRequest: string,
  signal: AbortSignal,
): Promise<{ certificate: string; expiresAtMs: number }> {
  return askOne(options, '/node/v1/certificate', { signal, body: { certificateRequest } });
}

function askOne<Answer>(options: NodeApiOptions, path: string, request: NodeRequest): Promise<Answer> {
  return options.addresses.ask(request.signal, (address, signal) =>
    askApi<Answer>({ address, tls: options.tls?.() }, path, { ...request, signal }),
  );
}

/** With a `body` it is a POST of JSON, with `bytes` a PUT of these. */
interface NodeRequest {
  signal: AbortSignal;
  body?: unknown;
  bytes?: Uint8Array<ArrayBuffer>;
}

function sentOf({ body, bytes }: NodeRequest): RequestInit {
  if (bytes !== undefined)
    return { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: bytes };
  if (body === undefined) return { method: 'GET' };
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** One call of the node contract. @throws Fault with the code of the API, or `api_unreachable` */
export async function askApi<Answer>(
  options: { address: string; tls?: object },
  path: string,
  request: NodeRequest,
): Promise<Answer> {
  const { signal } = request;
  const isUnix = options.address.startsWith('unix:');
  const response = await fetch(`${isUnix ? 'http://localhost' : options.address}${path}`, {
    ...sentOf(request),
    signal,
    redirect: 'error',
    ...(isUnix ? { unix: options.address.slice('unix:'.length) } : { tls: options.tls }),
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
