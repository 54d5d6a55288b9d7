import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

async function violationsOf(page: Page, within: string, rules = standard): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    `axe.run(${within}, { runOnly: ${JSON.stringify(rules)} })`,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

test('the REST reference is ours alone: no request elsewhere, within the policy of every page, tried by key only', async () => {
  const { page, strangers, refused } = await openPage('/reference');
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

test('what the reference is made of is the contract, and no other page carries its viewer', async () => {
  const served = await (await fetch(`${service.publicUrl}/reference/openapi.json`)).text();
  expect(served).toBe(readFileSync(new URL('../../openapi/public.json', import.meta.url), 'utf8'));
  for (const path of ['/', '/app', '/docs', '/sign-in']) {
    const { page } = await openPage(path);
    await page.waitForSelector('h1');
    const loaded = await page.evaluate<string[]>(`performance.getEntriesByType('resource').map(({ name }) => name)`);
    expect(
      loaded.filter((name) => name.includes('viewer-')),
      path,
    ).toEqual([]);
    await page.context().close();
  }
});

test('the reference reads well, in the light, in the dark and on a phone', async () => {
  const { page } = await openPage('/reference');
  await page.waitForSelector('#reference .section h1');
  expect(await violationsOf(page, 'document')).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violationsOf(page, 'document', ['color-contrast'])).toEqual([]);
  await page.setViewportSize({ width: 360, height: 800 });
  expect(await violationsOf(page, `{ exclude: ['#reference'] }`)).toEqual([]);
  expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await page.context().close();
});
