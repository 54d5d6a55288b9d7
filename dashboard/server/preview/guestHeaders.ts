import type { Place, Places } from './place.ts';

/** Of the connection, not of what is sent over it (RFC 9110 §7.6.1). */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** Where the request came from is not the guest's business, nor is what is said to the gateway. */
const ofGateway = [
  'host',
  'cookie',
  'expect',
  'forwarded',
  'via',
  'origin',
  'referer',
  'sec-websocket-',
  'x-forwarded-',
  'x-original-forwarded-for',
];
/** What proxies in front of the gateway add: who and where the browser's person is, often with a token that says so. */
const ofProxies = [
  'cdn-loop',
  'cf-',
  'client-cert',
  'client-cert-',
  'client-ip',
  'fastly-',
  'fly-',
  'remote-',
  'tailscale-',
  'true-client-ip',
  'x-amzn-',
  'x-appengine-',
  'x-auth-request-',
  'x-authentik-',
  'x-azure-',
  'x-client-cert',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'x-ms-client-principal',
  'x-ms-client-principal-',
  'x-ms-token-',
  'x-pomerium-',
  'x-real-ip',
  'x-remote-',
  'x-ssl-client-',
  'x-vercel-',
  'x-webauth-',
];
/**
 * What would work beyond this one origin or outlive it: wipes cookies of the whole domain, binds browsers to TLS, sends them
 * elsewhere, has them report here; or tells caches on the way to keep what is one person's.
 */
const harmful = [
  'alt-svc',
  'clear-site-data',
  'date',
  'nel',
  'public-key-pins',
  'report-to',
  'strict-transport-security',
  'surrogate-',
  // What servers in front obey: files of theirs in the place of the answer, and how long a cache keeps it.
  'cf-edge-cache',
  'edge-control',
  'x-accel-',
  'x-lighttpd-',
  'x-litespeed-',
  'x-reproxy-',
  'x-sendfile',
  'x-sendfile2',
];
const forCaches = /(?:^|-)cdn-cache-control$/;
/** Ours, and by which proxies in front know who is signed in. */
const notTheirs =
  /^(?:__(?:host|secure)-lb_|(?:__(?:host|secure)-)?(?:CF_(?:Authorization|AppSession|Binding)|_?_?oauth2_proxy|_pomerium|AWSELBAuthSessionCookie|AppServiceAuthSession|GCP_IAA?P|authelia_session|authentik_proxy))/i;

/** The guest sees a browser of its own that opened `http://localhost:{port}`. */
export function toGuest(request: Request, place: Place, places: Places): Headers {
  const headers = kept(request.headers, [...ofGateway, ...ofProxies]);
  // A key of ours that somebody sent to the wrong address.
  if (/^bearer\s+lb/i.test(headers.get('authorization') ?? '')) headers.delete('authorization');
  const cookies = (request.headers.get('cookie') ?? '').split(';').map((each) => each.trim());
  const theirs = cookies.filter((each) => each !== '' && !notTheirs.test(each)).join('; ');
  if (theirs !== '') headers.set('cookie', theirs);
  for (const name of ['origin', 'referer']) {
    const value = request.headers.get(name);
    const from = value === null ? undefined : places.ofUrl(value);
    if (from?.desktopId === place.desktopId) headers.set(name, value!.replace(places.originOf(from), inside(from)));
  }
  headers.set('host', `localhost:${place.port}`);
  return headers;
}

/** What the browser may see of the guest's answer. */
export function fromGuest(answer: Headers, place: Place, places: Places): Headers {
  const headers = kept(answer, [...harmful, 'set-cookie']);
  for (const cookie of answer.getSetCookie()) {
    const harmless = hostOnly(cookie);
    if (harmless !== undefined) headers.append('set-cookie', harmless);
  }
  for (const name of ['location', 'access-control-allow-origin']) {
    const value = headers.get(name);
    if (value !== null) headers.set(name, outside(value, place, places));
  }
  headers.set('cache-control', ofOnePerson(headers.get('cache-control')));
  // What was kept of a script in a page does not become a service worker, which the gateway answers.
  headers.append('vary', 'Service-Worker');
  // Previews of one domain are one site: none shares a process or `document.domain` with another.
  headers.set('origin-agent-cluster', '?1');
  return headers;
}

/** @param dropped names, and families of them: those that end with a hyphen are what names begin with */
function kept(all: Headers, dropped: readonly string[]): Headers {
  const named = (all.get('connection') ?? '').split(',').map((each) => each.trim().toLowerCase());
  const isDropped = (name: string) =>
    hopByHop.includes(name) ||
    named.includes(name) ||
    forCaches.test(name) ||
    dropped.some((each) => name === each || (each.endsWith('-') && name.startsWith(each)));
  const headers = new Headers();
  for (const [name, value] of all) if (!isDropped(name)) headers.append(name, value);
  return headers;
}

/** A cookie of this very host: not ours, and not for a domain that other previews share. */
function hostOnly(cookie: string): string | undefined {
  const [pair = '', ...attributes] = cookie.split(';');
  const name = pair.slice(0, Math.max(0, pair.indexOf('='))).trim();
  // Some browsers take one without a name as what its value says.
  if (name === '' || notTheirs.test(name)) return undefined;
  return [pair, ...attributes.filter((each) => !/^\s*domain\s*(?:=|$)/i.test(each))].join(';');
}

function inside({ port }: Place): string {
  return `http://localhost:${port}`;
}

/** An address as the guest knows it, as browsers know it. */
function outside(value: string, { desktopId }: Place, places: Places): string {
  const url = URL.parse(value);
  if (url === null || !['localhost', '127.0.0.1', '[::1]', '0.0.0.0'].includes(url.hostname)) return value;
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const origin = places.originOf({ desktopId, port });
  return value === url.origin ? origin : origin + url.pathname + url.search + url.hash;
}

/** Caches between us and the browser must not give it to anybody else. */
function ofOnePerson(cacheControl: string | null): string {
  const words = (cacheControl ?? '').split(',').map((each) => each.trim());
  const others = words.filter((each) => each !== '' && !/^(?:public|private|s-maxage)\b/i.test(each));
  return ['private', ...others].join(', ');
}
