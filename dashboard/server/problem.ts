/** RFC 9457, as the API answers. `headers` come on top. */
export function problem(
  status: number,
  code: string,
  said: string | { detail: string; headers: Record<string, string> },
): Response {
  const { detail, headers } = typeof said === 'string' ? { detail: said, headers: {} } : said;
  const body = { type: 'about:blank', title: detail, status, code, detail, retryable: status === 429 || status >= 500 };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
  });
}
