const limitMs = 10_000;
const bytesMax = 1_048_576;

/** JSON of a provider. @throws Error with the status or what went wrong */
export async function fetchJson<Value>(url: string, headers: Record<string, string> = {}): Promise<Value> {
  const response = await fetch(url, {
    headers: { accept: 'application/json', 'user-agent': 'lebureau', ...headers },
    redirect: 'error',
    signal: AbortSignal.timeout(limitMs),
  });
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
  const text = await response.text();
  if (text.length > bytesMax) throw new Error(`${new URL(url).host} answered too much`);
  return JSON.parse(text) as Value;
}
