import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnauthorizedError } from '@modelcontextprotocol/client';
import type { Server } from 'bun';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Service, startService } from '../system/product.ts';
import { openChromium } from './chromium.ts';
import { type ClientDocument, startClientDocument } from './clientDocument.ts';
import { askMcp, connected, MemoryProvider, RawClient, redirectUri, transportOf } from './oauthClient.ts';

/** The official MCP client's own OAuth flow, with a person in a real browser, and nothing but the URL of /mcp. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = join(import.meta.dirname, '..', '..', 'demo-out', 'pages');
const folder = mkdtempSync(join(tmpdir(), 'lb-oauth-'));

let service: Service;
let document: ClientDocument;
/** Where the client listens for the browser that comes back. */
let listener: Server<undefined>;
let browser: Browser;
let context: BrowserContext;
let page: Page;
beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  document = startClientDocument(folder, {
    client_name: 'A client with a document',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  listener = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('Back at the client.') });
  service = await startService({
    programs: ['api', 'mcp', 'gateway'],
    gateway: () => ({ LEBUREAU_CLIENT_METADATA_LOOPBACK: 'on', NODE_EXTRA_CA_CERTS: document.caPath }),
  });
  browser = await openChromium();
  context = await browser.newContext();
  page = await context.newPage();
  const link = readFileSync(join(service.home, 'owner-link'), 'utf8').trim();
  await page.goto(`${service.publicUrl}/sign-in/link#${link}`);
  await page.click('main button');
  await page.waitForURL('**/app');
});
afterAll(async () => {
  await browser?.close();
  await service?.close();
  await document?.close();
  await listener?.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

const backAt = () => `http://127.0.0.1:${listener.port}/callback`;
const official = (options: { name?: string; clientMetadataUrl?: string } = {}) =>
  new MemoryProvider({ ...options, redirectUri: backAt() });

/** Begins as the client does, and goes where it would send the browser. */
async function begin(provider: MemoryProvider): Promise<void> {
  await expect(connected(service, provider)).rejects.toThrow(UnauthorizedError);
  await page.goto(provider.authorizationUrl!.href);
  await page.waitForSelector('form h1');
}

/** Acts, and waits until the browser is where it is sent back to. */
async function sentBack(act: () => Promise<void>): Promise<URL> {
  await act();
  await page.waitForURL(`${backAt()}?**`);
  return new URL(page.url());
}

async function toolsOf(provider: MemoryProvider): Promise<string[]> {
  const client = await connected(service, provider);
  const listed = await client.callTool({ name: 'desktops_list', arguments: {} });
  expect(listed.isError ?? false).toBe(false);
  const names = (await client.listTools()).tools.map(({ name }) => name);
  await client.close();
  return names;
}

test('a client that knows the URL alone is let in, and sees the tools of what was left ticked', async () => {
  const provider = official();
  await begin(provider);
  expect(await page.textContent('h1')).toContain('The official client');
  expect(await page.textContent('.facts')).toContain('Named itself');
  expect(await page.textContent('.facts')).toContain(new URL(backAt()).origin);
  expect(await page.locator('[name=capability]').count()).toBe(8);
  await page.uncheck('[value="desktop:destroy"]');
  await page.uncheck('[value="files:write"]');
  // A window that lay over the page closed: the second click of two cannot hit it. The click below waits until it can.
  await page.waitForSelector('form .primary:enabled');
  const isLive = `new Promise((done) => (dispatchEvent(new Event('focus')), requestAnimationFrame(() =>
    setTimeout(() => done(document.querySelector('form .primary').matches(':enabled'))))))`;
  expect(await page.evaluate(isLive)).toBe(false);
  const back = await sentBack(() => page.click('text="Allow"'));
  expect(back.searchParams.get('state')).toBe('state-of-the-test');
  expect(back.searchParams.get('iss')).toBe(service.publicUrl);
  await transportOf(service, provider).finishAuth(back.searchParams);
  const names = await toolsOf(provider);
  expect(names).toContain('desktops_create');
  expect(names).not.toContain('desktops_delete');
  expect(names).not.toContain('desktop_files_write');
  // An access token that is over is replaced without anybody being asked.
  const former = provider.kept.tokens!;
  provider.kept.tokens = { ...former, access_token: 'A'.repeat(43) };
  expect(await toolsOf(provider)).toEqual(names);
  expect(provider.kept.tokens.refresh_token).not.toBe(former.refresh_token);
});

test('a client that is named by its document is known by its whole URL, and by keyboard alone is let in', async () => {
  const provider = official({ clientMetadataUrl: document.url });
  await begin(provider);
  expect(await page.textContent('h1')).toContain('A client with a document');
  expect(await page.textContent('.facts')).toContain(document.url);
  expect(document.asked()).toBe(1);
  await page.locator('[value="desktop:destroy"]').focus();
  await page.keyboard.press('Space');
  await page.waitForSelector('form .primary:enabled');
  for (let tabs = 0; tabs < 10; tabs++) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate('document.activeElement.textContent')) === 'Allow') break;
  }
  const back = await sentBack(() => page.keyboard.press('Enter'));
  await transportOf(service, provider).finishAuth(back.searchParams);
  expect(await toolsOf(provider)).not.toContain('desktops_delete');
});

test('who is told no goes away with that, and nobody else is sent anywhere', async () => {
  const provider = official();
  await begin(provider);
  const back = await sentBack(() => page.click('text="Do not allow"'));
  expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: 'access_denied', state: 'state-of-the-test' });
  const raw = await RawClient.register(service);
  await page.goto(raw.authorizeUrl({ redirect_uri: 'https://evil.example/' }));
  await page.waitForSelector('[role=alert]');
  expect(new URL(page.url()).origin).toBe(service.publicUrl);
  expect(await page.textContent('[role=alert]')).toContain('redirect_uri');
});

test('a document speaks for its own URL, and sends nobody where it does not say', async () => {
  const refused = async (clientId: string, changes = {}) =>
    (await new RawClient(service, clientId).begin(changes)).headers.get('location');
  expect(await refused(document.url)).toContain('/gateway/authorization/');
  expect(await refused(document.url.replace('client.json', 'other.json'))).toBe('/app/authorize/refused');
  expect(await refused(document.url.replace('https:', 'http:'))).toBe('/app/authorize/refused');
  for (const redirect_uri of ['https://evil.example/', `${redirectUri}/x`, 'http://localhost:39017/callback'])
    expect(await refused(document.url, { redirect_uri }), redirect_uri).toBe('/app/authorize/refused');
});

test('the page that asks reads well: no violation of WCAG 2.2 AA, in both languages, both themes and 360 pixels', async () => {
  const provider = official({ name: `An agent with a name that is long ${'enough'.repeat(6)}` });
  await begin(provider);
  const storageState = await context.storageState();
  const address = page.url();
  const found: string[] = [];
  for (const [name, colorScheme, width, locale] of [
    ['ask-light', 'light', 1280, 'en'],
    ['ask-phone', 'dark', 360, 'fr'],
  ] as const) {
    const viewport = { width, height: 800 };
    const each = await browser.newContext({ colorScheme, locale, viewport, storageState, bypassCSP: true });
    const tab = await each.newPage();
    const others = [`${service.publicUrl}/app/authorize/refused`, `${service.publicUrl}/app/settings/grants`];
    for (const path of [address, ...(width === 360 ? others : [])]) {
      await tab.goto(path);
      await tab.waitForSelector('h1');
      await tab.waitForSelector('.loading', { state: 'detached' });
      await tab.screenshot({
        path: join(pictures, `${name}-${path === address ? 'page' : path.split('/').at(-1)}.png`),
      });
      await tab.evaluate(axe);
      const violations = await tab.evaluate<string[]>(
        `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => violations.map((it) => it.id + ': ' + it.nodes.map((node) => node.html).join(' ')))`,
      );
      for (const violation of violations) found.push(`${name} ${path}: ${violation}`);
      const wider = await tab.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      if (wider > 0) found.push(`${name} ${path}: ${wider} pixels too wide`);
    }
    if (locale === 'fr') expect(await tab.textContent('h1')).toBe('Réglages');
    await each.close();
  }
  expect(found).toEqual([]);
});

test('what is taken back in the settings ends what runs, and the client must ask again', async () => {
  const provider = official({ name: 'To be taken back' });
  await begin(provider);
  const back = await sentBack(() => page.click('text="Allow"'));
  await transportOf(service, provider).finishAuth(back.searchParams);
  const token = provider.kept.tokens!.access_token;
  const opened = await askMcp(service, token);
  await opened.text();
  // Its headers come with what is first said on it: nothing.
  const stream = fetch(`${service.publicUrl}/mcp`, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
      'mcp-session-id': opened.headers.get('mcp-session-id')!,
    },
  });
  let endedMs: number | undefined;
  const ended = stream
    .then((answer) => answer.text())
    .catch(() => undefined)
    .then(() => (endedMs = performance.now()));
  await page.goto(`${service.publicUrl}/app/settings/grants`);
  const row = page.locator('tr', { hasText: 'To be taken back' });
  await row.waitFor();
  expect(await row.textContent()).toContain('Named itself');
  expect(await page.locator('tr', { hasText: 'A client with a document' }).textContent()).toContain(document.url);
  expect(endedMs).toBeUndefined();
  await row.locator('button').click();
  const beganMs = performance.now();
  await page.click('dialog button:has-text("Take back")');
  await row.waitFor({ state: 'detached' });
  await ended;
  console.info(`a running call was cut ${Math.round(endedMs! - beganMs)} ms after its grant was taken back`);
  const refused = await askMcp(service, token);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toMatch(/error="invalid_token".*resource_metadata="[^"]+\/mcp"/);
  await expect(connected(service, provider)).rejects.toThrow(UnauthorizedError);
});
