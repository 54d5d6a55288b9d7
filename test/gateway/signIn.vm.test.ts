import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort } from '../freePort.ts';
import { type Service, startService } from '../system/product.ts';
import { openChromium } from './chromium.ts';
import { type Issuer, startIssuer } from './issuer.ts';

/** Signing in through a real issuer, in a real browser. */

let service: Service;
let issuer: Issuer;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  const gatewayPort = await freePort();
  issuer = await startIssuer(`http://localhost:${gatewayPort}/gateway/callback/oidc`, [
    { sub: 'ada', email: 'ada@example.org', email_verified: true, name: 'Ada' },
    { sub: 'eve', email: 'eve@elsewhere.net', email_verified: true, name: 'Eve' },
    { sub: 'mallory', email: 'ada@example.org', email_verified: false, name: 'Mallory' },
    { sub: 'nobody' },
  ]);
  service = await startService({
    programs: ['api', 'gateway'],
    gatewayPort,
    environment: { LEBUREAU_SIGN_IN_DOMAINS: 'example.org' },
    gateway: () => ({
      // Each test comes from an address of its own, so that the count of tries of one is not that of another.
      LEBUREAU_TRUSTED_PROXIES: '127.0.0.0/8,::1',
      LEBUREAU_OIDC_ISSUER: issuer.url,
      LEBUREAU_OIDC_NAME: 'the test issuer',
      LEBUREAU_OIDC_CLIENT_ID: issuer.clientId,
      LEBUREAU_OIDC_CLIENT_SECRET: issuer.clientSecret,
    }),
  });
  browser = await openChromium();
});
afterAll(async () => {
  await browser?.close();
  await service?.close();
  await issuer?.close();
});
let tests = 0;
beforeEach(async () => {
  tests += 1;
  context = await browser.newContext({ extraHTTPHeaders: { 'x-forwarded-for': `192.0.2.${tests}` } });
  page = await context.newPage();
});
afterEach(() => context.close());

/** From our page through the issuer's two pages, to wherever that leads. */
async function comeAs(login: string, at = '/app'): Promise<void> {
  await page.goto(`${service.publicUrl}${at}`);
  await page.click('text=Continue with the test issuer');
  await page.fill('input[name=login]', login);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.click('button[type=submit]');
  await page.waitForURL(`${service.publicUrl}/**`);
}

const sessionOf = () =>
  page.evaluate(
    async () => (await (await fetch('/gateway/session')).json()) as { user: { email: string; role: string } | null },
  );

test('somebody of an allowed domain comes in, where they wanted to go, and out again', async () => {
  await comeAs('ada', '/app/settings/keys');
  expect(new URL(page.url()).pathname).toBe('/app/settings/keys');
  expect((await sessionOf()).user).toMatchObject({ email: 'ada@example.org', role: 'member' });
  const cookies = await context.cookies(service.publicUrl);
  expect(cookies.map(({ name }) => name)).toEqual(['__Host-lb_session']);
  expect(cookies[0]).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax' });
  await page.click('button[aria-haspopup=menu]');
  await page.click('text=Sign out');
  await page.waitForURL('**/sign-in');
  expect((await sessionOf()).user).toBeNull();
});

test('whoever was not invited is told so, and whose address is not verified is nobody', async () => {
  await comeAs('eve');
  expect(await page.textContent('[role=alert]')).toContain('Nobody has invited eve@elsewhere.net');
  await page.reload();
  // Said once.
  expect(await page.$('[role=alert]')).toBeNull();
  for (const login of ['mallory', 'nobody']) {
    await context.clearCookies();
    await comeAs(login);
    expect(await page.textContent('[role=alert]'), login).toContain('verified');
    expect((await sessionOf()).user, login).toBeNull();
  }
});

/** Goes to the issuer and back, and stops before the last step. */
async function callbackOf(): Promise<string> {
  let url = `${service.publicUrl}/gateway/sign-in/oidc`;
  for (let step = 0; step < 8 && !url.includes('/gateway/callback/'); step++) {
    const answer = await context.request.get(url, { maxRedirects: 0 });
    url = new URL(answer.headers()['location']!, url).href;
  }
  return url;
}

test('an answer that this browser did not ask for signs nobody in', async () => {
  await comeAs('ada');
  await context.clearCookies({ name: '__Host-lb_session' });
  const callback = await callbackOf();
  expect(new URL(callback).searchParams.get('code')).not.toBeNull();
  // Login CSRF: somebody is sent the callback of an attacker.
  const other = await browser.newContext();
  const victim = await other.newPage();
  await victim.goto(callback);
  expect(await victim.textContent('[role=alert]')).toContain('not begun in this browser');
  await other.close();
  for (const [name, value, said] of [
    ['state', 'other', 'not begun in this browser'],
    ['iss', 'https://evil.example', 'another provider'],
    ['code', 'other', 'did not confirm'],
  ] as const) {
    const changed = new URL(await callbackOf());
    changed.searchParams.set(name, value);
    await page.goto(changed.href);
    expect(await page.textContent('[role=alert]'), name).toContain(said);
    expect((await sessionOf()).user, name).toBeNull();
  }
  // As it came it is good, and once.
  const good = await callbackOf();
  await page.goto(good);
  expect((await sessionOf()).user).toMatchObject({ email: 'ada@example.org' });
  await page.goto('about:blank');
  await context.clearCookies({ name: '__Host-lb_session' });
  await page.goto(good);
  expect((await sessionOf()).user).toBeNull();
});

test.each([
  '//evil.example',
  'https://evil.example',
  '/\\evil.example',
  '/app/../../evil',
  '/app\\..\\x',
  '/appevil',
  'javascript:alert(1)',
  '/app//evil.example',
])('after sign-in nobody is sent to %s', async (returnTo) => {
  await page.goto(`${service.publicUrl}/gateway/sign-in/oidc?returnTo=${encodeURIComponent(returnTo)}`);
  await page.fill('input[name=login]', 'ada');
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.click('button[type=submit]');
  await page.waitForURL(`${service.publicUrl}/**`);
  expect(new URL(page.url()).origin).toBe(service.publicUrl);
  expect(new URL(page.url()).pathname).toMatch(/^\/app/);
});

test('the first owner comes by the printed link; a look at it does not use it up', async () => {
  const link = `${service.publicUrl}/sign-in/link#${readFileSync(join(service.home, 'owner-link'), 'utf8').trim()}`;
  await page.goto(link);
  await page.goto('about:blank');
  await page.goto(link);
  await page.click('main button');
  await page.waitForURL('**/app');
  expect((await sessionOf()).user).toMatchObject({ role: 'owner' });
  expect(await page.textContent('h1')).toBe('Desktops');
});
