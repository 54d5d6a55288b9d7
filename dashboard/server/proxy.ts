import { problem } from './problem.ts';

/** Request headers that go through; all others, cookies above all, end here. */
const requestHeaders = [
  'accept',
  'accept-language',
  'content-type',
  'control-lease',
  'if-match',
  'if-none-match',
  'if-range',
  'idempotency-key',
  'last-event-id',
  'mcp-protocol-version',
  'mcp-session-id',
  'mcp-method',
  'mcp-name',
  'range',
  'user-agent',
  'x-mcp-desktop',
  'x-mcp-readonly',
  'x-mcp-toolsets',
  'x-request-id',
];

/** Answer headers that belong to the connection behind us, or would let what is behind us speak for us. */
const droppedAnswerHeaders = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'server',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'date',
  'access-control-allow-origin',
  'access-control-allow-credentials',
];

export interface Passing {
  /** Origin of what is behind: scheme, host and port. */
  to: string;
  /** Path and query there. */
  target: string;
  authorization: string;
  /** Ends it from our side. Default: when the asker leaves. */
  signal?: AbortSignal | undefined;
}

/**
 * Sends a request on and streams both bodies. Nothing is sent again: whether a request that failed was carried out is for
 * the caller to find out, by its Idempotency-Key.
 */
export async function passOn(request: Request, passing: Passing): Promise<Response> {
  const headers = new Headers({ authorization: passing.authorization });
  for (const name of requestHeaders) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const hasBody = request.body !== null && request.method !== 'GET' && request.method !== 'HEAD';
  try {
    const answer = await fetch(passing.to + passing.target, {
      method: request.method,
      headers,
      ...(hasBody ? { body: request.body, duplex: 'half' } : {}),
      redirect: 'manual',
      decompress: false,
      signal: passing.signal ?? request.signal,
    } as RequestInit);
    return cleaned(answer);
  } catch {
    // Its cause names an address of ours.
    return problem(503, 'unavailable', {
      detail: 'The service behind the dashboard cannot be reached.',
      headers: { 'Retry-After': '2' },
    });
  }
}

function cleaned(answer: Response): Response {
  const headers = new Headers(answer.headers);
  for (const name of droppedAnswerHeaders) headers.delete(name);
  // Bytes of a guest are saved, never shown as a page.
  if (headers.get('content-type')?.startsWith('application/octet-stream') && !headers.has('content-disposition'))
    headers.set('content-disposition', 'attachment');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  return new Response(answer.body, { status: answer.status, headers });
}
