/** Headers of every answer, and those of the two kinds: our own pages, and what comes from behind. */

const always: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy':
    'camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=(self), clipboard-write=(self)',
};

/** No inline script or style, nothing from elsewhere. `blob:` for pictures that were fetched with the session. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What a desktop sent may be a page: opened in a tab it runs nothing and belongs to no origin. */
const contentPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'";

/** Two years, once a browser has come over TLS. */
const strictTransport = 'max-age=63072000; includeSubDomains';

export function secured(response: Response, how: { kind: 'page' | 'content'; strictTransport: boolean }): Response {
  const { headers } = response;
  for (const [name, value] of Object.entries(always)) headers.set(name, value);
  headers.set('Content-Security-Policy', how.kind === 'page' ? pagePolicy : contentPolicy);
  if (how.strictTransport) headers.set('Strict-Transport-Security', strictTransport);
  return response;
}
