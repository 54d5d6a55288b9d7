/**
 * How the reference tries an operation: here and nowhere else, with the key that was typed in and never as who is signed in.
 * What is only looked at shall not act for somebody by one click.
 */
export async function keyOnlyFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  if (new URL(request.url).origin !== location.origin) throw new TypeError('Only this origin is asked.');
  return fetch(request, { credentials: 'omit' });
}
