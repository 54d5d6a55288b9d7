import { expect, test } from 'vitest';
import { fromGuest, toGuest } from './guestHeaders.ts';
import { Places } from './place.ts';

const places = new Places('preview.example', 'https://office.example.org');
const place = { desktopId: `dsk_${'0'.repeat(26)}`, port: 3000 };
const asked = (headers: Record<string, string>) =>
  Object.fromEntries(toGuest(new Request(places.originOf(place), { headers }), place, places));
const answered = (headers: Record<string, string>) => fromGuest(new Headers(headers), place, places);

const ofServersInFront = [
  'X-Accel-Redirect',
  'X-Accel-Expires',
  'X-Sendfile',
  'X-Sendfile2',
  'X-Lighttpd-Send-File',
  'X-LiteSpeed-Location',
  'X-Reproxy-URL',
  'Edge-Control',
  'CF-Edge-Cache',
  'CDN-Cache-Control',
  'Cloudflare-CDN-Cache-Control',
  'Surrogate-Control',
];
test.each(ofServersInFront)('no server in front gets %s of a guest to obey', (name) => {
  expect([...answered({ [name]: '/etc', 'x-own': 'stays' }).keys()]).toEqual([
    'cache-control',
    'origin-agent-cluster',
    'vary',
    'x-own',
  ]);
});

const ofProxiesInFront = [
  'CF-Access-Jwt-Assertion',
  'CF-Connecting-IP',
  'X-Amzn-Oidc-Data',
  'X-Goog-IAP-JWT-Assertion',
  'X-Goog-Authenticated-User-Email',
  'X-Auth-Request-Email',
  'X-Authentik-Jwt',
  'X-Pomerium-Jwt-Assertion',
  'X-MS-Client-Principal',
  'X-MS-Client-Principal-Name',
  'X-MS-Token-AAD-Access-Token',
  'Tailscale-User-Login',
  'Fly-Client-IP',
  'True-Client-IP',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'X-Real-IP',
  'X-Forwarded-For',
  'Remote-User',
  'Client-Cert',
  'Client-Cert-Chain',
];
test.each(ofProxiesInFront)('the guest is not told %s', (name) => {
  expect(asked({ [name]: 'me', 'x-own': 'stays' })).toEqual({ host: 'localhost:3000', 'x-own': 'stays' });
});

test('cookies of ours and of proxies in front stay out, both ways', () => {
  const names = ['__Host-lb_preview', 'CF_Authorization', '_oauth2_proxy', '_oauth2_proxy_0', 'authelia_session'];
  const cookie = [...names, 'theirs', 'my_CF_Authorization'].map((name) => `${name}=1`).join('; ');
  expect(asked({ cookie })['cookie']).toBe('theirs=1; my_CF_Authorization=1');
  for (const name of names) expect(answered({ 'set-cookie': `${name}=1` }).getSetCookie(), name).toEqual([]);
  expect(answered({ 'set-cookie': 'theirs=1; Domain=preview.example' }).getSetCookie()).toEqual(['theirs=1']);
});

test('what a browser keeps of a page’s script is not what it takes for a service worker’s', () => {
  expect(answered({}).get('vary')).toBe('Service-Worker');
  expect(answered({ vary: 'Accept' }).get('vary')).toBe('Accept, Service-Worker');
});
