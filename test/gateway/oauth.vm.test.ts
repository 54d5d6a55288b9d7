import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UnauthorizedError } from '@modelcontextprotocol/client';
import { type Service, startService } from '../system/product.ts';
import { openChromium } from './chromium.ts';
import { connected, MemoryProvider, redirectUri, transportOf } from './oauthClient.ts';

/** The official MCP client's own OAuth flow, with a person in a real browser, and nothing but the URL of /mcp. */

let service: Service;
let browser: Browser;
let context: BrowserContext;
let page: Page;
beforeAll(async () => {
  service = await startService({ programs: ['api', 'mcp', 'gateway'] });
  browser = await openChromium();
  context = await browser.newContext({ bypassCSP: false });
  page = await context.newPage();
  const link = readFileSync(join(service.home, 'owner-link'), 'utf8').trim();
  await page.goto(`${service.publicUrl}/sign-in/link#${link}`);
  await page.click('main button');
  await page.waitForURL('**/app');
});
afterAll(async () => {
  await browser?.close();
  await service?.close();
});

/** Begins as the client does, and goes where it would send the browser. */
async function begin(provider: MemoryProvider): Promise<void> {
  await expect(connected(service, provider)).rejects.toThrow(UnauthorizedError);
  await page.goto(provider.authorizationUrl!.href);
  await page.waitForSelector('h1');
}

/** Clicks, and catches the browser where it is sent back to: nobody listens there. */
async function answer(verb: string): Promise<URL> {
  const sent = page.waitForRequest((request) => request.url().startsWith(redirectUri));
  await page.click(`text="${verb}"`);
  return new URL((await sent).url());
}

test('a client that knows the URL alone is let in, and sees the tools of what was left ticked', async () => {
  const provider = new MemoryProvider();
  await begin(provider);
  expect(await page.textContent('h1')).toContain('The official client');
  expect(await page.textContent('main')).toContain('http://127.0.0.1:39017');
  expect(await page.locator('[name=capability]').count()).toBe(7);
  await page.uncheck('[value="desktop:destroy"]');
  await page.uncheck('[value="files:write"]');
  const back = await answer('Allow');
  expect(back.searchParams.get('state')).toBe('state-of-the-test');
  expect(back.searchParams.get('iss')).toBe(service.publicUrl);
  await transportOf(service, provider).finishAuth(back.searchParams);
  const client = await connected(service, provider);
  const names = (await client.listTools()).tools.map(({ name }) => name);
  expect(names).toContain('desktops_create');
  expect(names).not.toContain('desktops_delete');
  expect(names).not.toContain('desktop_files_write');
  const listed = await client.callTool({ name: 'desktops_list', arguments: {} });
  expect(listed.isError ?? false).toBe(false);
  await client.close();
});
