import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openChromium } from '../gateway/chromium.ts';
import { type Service, startService } from '../system/product.ts';

/** What is read without signing in, in a real browser: landing page, documentation, REST reference. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let service: Service;
let browser: Browser;
beforeAll(async () => {
  service = await startService({ programs: ['api', 'gateway'] });
  browser = await openChromium();
});
afterAll(async () => {
  await browser?.close();
  await service?.close();
});

interface Seen {
  page: Page;
  /** Requests to anybody else. */
  strangers: string[];
  /** What the policy refused: directive and the beginning of the element. */
  refused: () => Promise<string[]>;
}

async function openPage(path: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Seen> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const strangers: string[] = [];
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== service.publicUrl) strangers.push(request.url());
  });
  await page.addInitScript(`window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.refused.push(event.violatedDirective + ' ' + event.blockedURI + ' ' + (event.target.className ?? '')));`);
  await page.goto(service.publicUrl + path);
  return { page, strangers, refused: () => page.evaluate<string[]>('window.refused') };
}

const standard = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    `axe.run(document, { runOnly: ${JSON.stringify(standard)} })`,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

test('the REST reference is ours alone: no request elsewhere, within the policy of every page, tried by key only', async () => {
  const { page, strangers, refused } = await openPage('/reference');
  await page.click('[aria-label="Try Create a desktop and start it"]');
  await page.waitForSelector('#reference .section h1');
  // Where the reference leads the viewer shows that operation.
  const operation = page.locator('[id$="tag/desktops/POST/v1/desktops"]');
  await expect.poll(() => operation.boundingBox().then((box) => Math.abs(box?.y ?? 9999))).toBeLessThan(200);
  await page.goto(`${service.publicUrl}/reference/try`);
  await page.waitForSelector('#reference .section h1');
  expect(await page.textContent('#reference .section h1')).toContain('Le Bureau API');
  // Somebody signed in: what the reference tries must not be their doing.
  await page
    .context()
    .addCookies([
      { name: '__Host-lb_session', value: `lbs_${'A'.repeat(43)}`, domain: 'localhost', path: '/', secure: true },
    ]);
  await page.fill('#reference input[placeholder=Token]', service.apiKey);
  await page.locator('text=Test Request').first().click();
  const asked = page.waitForRequest((request) => request.url().endsWith('/v1/me'));
  const answered = page.waitForResponse((response) => response.url().endsWith('/v1/me'));
  await page.click('button:has-text("Send")');
  const headers = await (await asked).allHeaders();
  expect([headers['authorization'], headers['cookie']]).toEqual([`Bearer ${service.apiKey}`, undefined]);
  expect((await answered).status()).toBe(200);
  expect(await page.evaluate<boolean>(`JSON.stringify(localStorage).includes('${service.apiKey}')`)).toBe(false);
  expect(strangers).toEqual([]);
  // It asks once whether it might evaluate text, and gives the width of line numbers, which are off, with its code.
  const known = /^(script-src eval|style-src-attr inline hljs)/;
  expect((await refused()).filter((each) => !known.test(each))).toEqual([]);
  await page.context().close();
});

/** Of document, scripts and styles, compressed as they came. */
const weight = `performance.getEntries()
  .filter(({ entryType, name }) => entryType === 'navigation' || (entryType === 'resource' && /\\.(js|css)$/.test(name)))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`;

test('what the reference is made of is the contract; no other page carries its viewer, or more than 60 kB', async () => {
  const served = await (await fetch(`${service.publicUrl}/reference/openapi.json`)).text();
  expect(served).toBe(readFileSync(new URL('../../openapi/public.json', import.meta.url), 'utf8'));
  const ownerLink = readFileSync(join(service.home, 'owner-link'), 'utf8').trim();
  const signedIn = await openPage(`/sign-in/link#${ownerLink}`);
  await signedIn.page.click('main button');
  await signedIn.page.waitForURL('**/app');
  const storageState = await signedIn.page.context().storageState();
  await signedIn.page.context().close();
  for (const path of ['/', '/app', '/docs', '/reference', '/sign-in']) {
    const { page } = await openPage(path, path === '/app' ? { storageState } : {});
    await page.waitForSelector('h1');
    const loaded = await page.evaluate<string[]>(`performance.getEntriesByType('resource').map(({ name }) => name)`);
    expect(
      loaded.filter((name) => name.includes('viewer-')),
      path,
    ).toEqual([]);
    expect(await page.evaluate<number>(weight), path).toBeGreaterThan(1000);
    expect(await page.evaluate<number>(weight), path).toBeLessThan(60_000);
    await page.context().close();
  }
});

/** Of a hundred operations and as many shapes, each made by the same program: more of them take axe a minute and tell nothing new. */
const aboutTwenty = `document.querySelectorAll('main article:nth-of-type(n+20), main article ~ h3:nth-of-type(n+20), main h3:nth-of-type(n+20) ~ .scroll')
  .forEach((each) => each.remove())`;

const tooWide = 'document.documentElement.scrollWidth > innerWidth';

test('the documentation is found by words, copied by a button and read from page to page, on a phone', async () => {
  const { page, strangers, refused } = await openPage('/docs');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('.code').first().hover();
  await page.locator('.copy').first().click();
  await page.waitForSelector('.copy >> text=Copied');
  expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain('npm start');
  await page.keyboard.press('/');
  await page.keyboard.type('confirmtok');
  await page.waitForSelector('search li');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/docs/mcp*');
  expect(await page.textContent('main')).toContain('confirmToken');
  const pages = new Set<string>();
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto(`${service.publicUrl}/docs`);
  for (;;) {
    pages.add(new URL(page.url()).pathname);
    expect(await page.evaluate<boolean>(tooWide), page.url()).toBe(false);
    const next = page.locator('a[rel=next]');
    if ((await next.count()) === 0) break;
    const href = (await next.getAttribute('href'))!;
    await page.goto(service.publicUrl + href);
  }
  const listed = await page.locator('.contents nav > ul > li > a').count();
  expect(pages.size).toBe(listed);
  expect([strangers, await refused()]).toEqual([[], []]);
  await page.context().close();
});

test('pages read well: no violation of WCAG 2.2 AA, no sideways scrolling, in the light, in the dark, on a phone', async () => {
  const { page } = await openPage('/docs');
  const found: string[] = [];
  for (const path of ['/docs/mcp', '/docs/benchmarks', '/reference', '/reference/try', '/']) {
    await page.goto(service.publicUrl + path);
    await page.waitForSelector(path === '/reference/try' ? '#reference .section h1' : 'h1');
    if (path === '/reference') await page.evaluate(aboutTwenty);
    for (const [width, colorScheme] of [
      [1280, 'dark'],
      [360, 'light'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      for (const violation of await violationsOf(page)) found.push(`${path} ${width}: ${violation}`);
      if (await page.evaluate<boolean>(tooWide)) found.push(`${path} is too wide at ${width}`);
    }
  }
  expect(found).toEqual([]);
  await page.context().close();
});
