/** What we take of what a client says of itself (RFC 7591); everything else is dropped, above all URLs to be fetched. */
export interface ClientMetadata {
  client_name: string;
  redirect_uris: string[];
  application_type: 'native' | 'web';
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: 'none';
}

const redirectUrisMax = 10;
const redirectUriCharsMax = 500;
const nameCharsMax = 80;
const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];
/** Schemes that a browser does something with by itself. */
const browserSchemes =
  /^(?:about|blob|chrome|data|edge|file|filesystem|ftp|javascript|resource|vbscript|view-source|wss?):$/;

/** A client keeps no secret from us, so all are public and prove themselves by PKCE. @throws Error that says what is wrong */
export function clientMetadataOf(said: unknown): ClientMetadata {
  if (typeof said !== 'object' || said === null) throw new Error('a JSON object is wanted');
  const { client_name: name, redirect_uris: given } = said as Record<string, unknown>;
  if (!Array.isArray(given) || given.length === 0 || given.length > redirectUrisMax)
    throw new Error(`redirect_uris must be a list of 1 to ${redirectUrisMax}`);
  const uris = given.map(redirectUriOf);
  return {
    client_name: nameOf(name) ?? hostOf(uris[0]!),
    // As they were given: a client asks with the same text, and texts are compared.
    redirect_uris: given as string[],
    // Only those of apps are free to choose a port of this machine (RFC 8252).
    application_type: uris.every(({ protocol }) => protocol === 'https:') ? 'web' : 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
}

/** Where somebody is sent back to, in short: a host, or the scheme of an app. */
export function hostOf(url: URL): string {
  return /^https?:$/.test(url.protocol) ? url.hostname : url.protocol.slice(0, -1);
}

export function isLoopback(url: URL): boolean {
  return url.protocol === 'http:' && loopbackHosts.includes(url.hostname);
}

function redirectUriOf(given: unknown): URL {
  const isText = typeof given === 'string' && given.length <= redirectUriCharsMax && /^[!-~]+$/.test(given);
  const url = isText ? URL.parse(given) : null;
  if (url === null) throw new Error(`redirect_uris must be URLs of at most ${redirectUriCharsMax} characters of ASCII`);
  if (url.hash !== '' || url.username !== '' || url.password !== '')
    throw new Error('redirect_uris must have no fragment and no credentials');
  if (url.protocol === 'http:' && !isLoopback(url))
    throw new Error('redirect_uris by http must lead to this machine: localhost, 127.0.0.1 or [::1]');
  if (browserSchemes.test(url.protocol)) throw new Error(`redirect_uris must not use ${url.protocol}`);
  return url;
}

/** In one line, without characters that turn or hide others. */
function nameOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined;
  const plain = name.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return plain === '' ? undefined : plain.slice(0, nameCharsMax).toWellFormed();
}
