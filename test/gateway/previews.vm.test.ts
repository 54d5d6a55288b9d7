import { join } from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NodeDouble, startNodeDouble } from '../doubles/node.ts';
import { call, type Service, startService } from '../system/product.ts';
import { asPage, type Visitor, visitorOf } from './browser.ts';
import { openChromium } from './chromium.ts';
import { type GuestPage, startGuestPage } from './guestPage.ts';

/** The way of a real browser into a port of a desktop, which here is a web server of this machine. */

let service: Service;
let node: NodeDouble;
let guest: GuestPage;
let browser: Browser;
let desktopId: string;
let origin: string;

beforeAll(async () => {
  service = await startService({
    programs: ['api', 'gateway'],
    gateway: () => ({ LEBUREAU_PREVIEW_DOMAIN: 'preview.localhost' }),
  });
  const run = join(service.home, 'run');
  node = await startNodeDouble({ apiSocket: join(run, 'api-node.sock'), guestSocket: join(run, 'double.sock') });
  guest = startGuestPage();
  node.guest.ports.set(8080, guest.port);
  const made = await call(service, 'POST', { path: '/v1/desktops', body: { network: 'none' } });
  desktopId = made.body.id as string;
  await call(service, 'GET', `/v1/desktops/${desktopId}?waitFor=ready&timeoutSeconds=20`);
  origin = `http://8080-${desktopId.slice(4)}.preview.localhost:${new URL(service.publicUrl).port}`;
  // No cookie of a third party: each step on the way in is a page of its own.
  browser = await openChromium(['--test-third-party-cookie-phaseout']);
});
afterAll(async () => {
  await browser?.close();
  await service?.close();
  await node?.stop();
  await guest?.stop();
});

/** A browser with somebody signed in, as its pages do it. */
async function signedIn(by: BrowserContextOptions = {}): Promise<{ context: BrowserContext; visitor: Visitor }> {
  const made = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'member' } });
  const context = await browser.newContext(by);
  const page = await context.newPage();
  await page.goto(`${service.publicUrl}/sign-in/link#${made.body.token as string}`);
  await page.click('main button');
  await page.waitForURL('**/app**');
  const { name, value } = (await context.cookies(service.publicUrl)).find((each) => each.name.endsWith('lb_session'))!;
  await page.close();
  return { context, visitor: await visitorOf(service, `${name}=${value}`) };
}

/** The gateway as it was before it kept workers out: a way to it on which the guest's own script comes. */
function startFormerGateway() {
  const worker = `oninstall = () => skipWaiting(); onactivate = (event) => event.waitUntil(clients.claim());
    onfetch = (event) => event.respondWith(new Response('watched'));`;
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      // What the browser itself would ask elsewhere.
      if (request.method === 'CONNECT') return new Response(null, { status: 502 });
      const { pathname, search, host } = new URL(request.url);
      if (request.headers.has('service-worker') && former.isOpen)
        return new Response(worker, { headers: { 'Content-Type': 'text/javascript' } });
      const headers = new Headers(request.headers);
      headers.set('host', host);
      headers.delete('proxy-connection');
      const to = `http://127.0.0.1:${new URL(service.publicUrl).port}${pathname}${search}`;
      const { method, body } = request;
      return fetch(to, { method, headers, body, redirect: 'manual', decompress: false } as RequestInit);
    },
  });
  const former = { isOpen: true, server: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) };
  return former;
}

async function openPort(context: BrowserContext) {
  const page = await context.newPage();
  await page.goto(`${service.publicUrl}/app/desktops/${desktopId}/ports?port=8080`);
  const [tab] = await Promise.all([context.waitForEvent('page'), page.click('text=Open port')]);
  await tab.waitForURL(`${origin}/`);
  return tab;
}

const namesAt = async (context: BrowserContext) => (await context.cookies(origin)).map(({ name }) => name);

test('a click leads to the port, and what was needed on the way is gone; no page there becomes a service worker', async () => {
  const { context } = await signedIn();
  const tab = await openPort(context);
  expect(await tab.innerText('body')).toBe('/');
  expect(await namesAt(context)).toEqual(['__Host-lb_preview']);
  const seen = await tab.evaluate(
    '[document.cookie, document.referrer, JSON.stringify(performance.getEntriesByType("navigation")), history.length].join()',
  );
  expect(seen).not.toMatch(/lbt_|code=|enter|lb_preview/);
  const registering = `navigator.serviceWorker.register('/worker.js').then(() => 'registered', ({ name }) => name)`;
  expect(await tab.evaluate(registering)).toBe('TypeError');
  expect(guest.seen.some((headers) => 'service-worker' in headers)).toBe(false);
  // The way in again, with what is there.
  expect(await (await openPort(context)).innerText('body')).toBe('/');
  await context.close();
});

test('a link with somebody else’s ticket or code leads to the dashboard, and to no preview of theirs', async () => {
  const [{ context }, { context: hers, visitor: mallory }] = [await signedIn(), await signedIn()];
  const path = `/v1/desktops/${desktopId}/streams`;
  const ticketOfHers = async () => {
    const answer = await asPage(service, mallory, { method: 'POST', path, body: { kind: 'port', port: 8080 } });
    return ((await answer.json()) as { ticket: string }).ticket;
  };
  const page = await context.newPage();
  // The icon of a page comes when it comes.
  const pagesSeen = () => guest.seen.filter((headers) => headers['sec-fetch-dest'] === 'document').length;
  const before = pagesSeen();
  await page.goto(`${origin}/.lebureau/open?ticket=${await ticketOfHers()}`);
  expect(page.url()).toBe(`${service.publicUrl}/app/desktops/${desktopId}/ports?port=8080`);
  expect(await namesAt(context)).not.toContain('__Host-lb_preview');
  // A code that was given to her browser.
  const codes: string[] = [];
  hers.on('request', (request) => void (request.url().includes('/enter?code=') && codes.push(request.url())));
  const tab = await hers.newPage();
  await tab.goto(`${origin}/.lebureau/open?ticket=${await ticketOfHers()}`);
  expect([tab.url(), codes.length]).toEqual([`${origin}/`, 1]);
  const seen = pagesSeen();
  expect(seen).toBe(before + 1);
  await page.goto(codes[0]!);
  expect(page.url()).toBe(`${service.publicUrl}/app/desktops/${desktopId}/ports?port=8080`);
  expect(await namesAt(context)).not.toContain('__Host-lb_preview');
  expect(pagesSeen()).toBe(seen);
  await Promise.all([context.close(), hers.close()]);
});

test('a service worker that stays from before is gone once somebody comes again', async () => {
  const former = startFormerGateway();
  const { context } = await signedIn({ proxy: { server: former.server, bypass: '<-loopback>,localhost' } });
  const tab = await openPort(context);
  await tab.evaluate(`navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)`);
  await tab.goto(`${origin}/`);
  expect(await tab.innerText('body')).toBe('watched');
  former.isOpen = false;
  await tab.goto(`${origin}/`);
  await expect.poll(() => tab.evaluate('navigator.serviceWorker.getRegistration().then(String)')).toBe('undefined');
  await tab.goto(`${origin}/`);
  expect(await tab.innerText('body')).toBe('/');
  await context.close();
  await former.stop();
});
