import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Service } from '../system/product.ts';

interface Shown {
  service: Service;
  browser: Browser;
  /** Of an admin. */
  context: BrowserContext;
  desktopId: () => Promise<string>;
  /** Folder: pictures of every page, to be looked at. */
  pictures: string;
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const kinds = [
  { name: 'light', colorScheme: 'light', width: 1280, locale: 'en' },
  { name: 'dark', colorScheme: 'dark', width: 1280, locale: 'fr' },
  { name: 'phone', colorScheme: 'light', width: 360, locale: 'fr' },
] as const;

/** Every page as people see it. */
export function describePages(at: () => Shown): void {
  test('every page reads well: no violation of WCAG 2.2 AA, no sideways scrolling, in both themes and languages', async () => {
    const { service, browser, context, desktopId, pictures } = at();
    const id = await desktopId();
    const paths = [
      '/app',
      `/app/desktops/${id}`,
      `/app/desktops/${id}/terminal`,
      `/app/desktops/${id}/files`,
      `/app/desktops/${id}/metrics`,
      `/app/desktops/${id}/ports`,
      `/app/desktops/${id}/activity`,
      `/app/desktops/${id}/settings`,
      ...['keys', 'mcp', 'sessions', 'look'].map((tab) => `/app/settings/${tab}`),
      ...['nodes', 'templates', 'users', 'keys', 'sessions', 'health', 'limits'].map((tab) => `/app/admin/${tab}`),
      '/app/nothing',
      '/sign-in',
      '/',
      '/docs',
      '/docs/operations',
    ];
    const found: string[] = [];
    for (const { name, width, ...rest } of kinds) {
      const each = await browser.newContext({
        ...rest,
        viewport: { width, height: 800 },
        storageState: await context.storageState(),
        bypassCSP: true,
      });
      const tab = await each.newPage();
      for (const path of paths) {
        await open(service, tab, path);
        await tab.screenshot({
          path: join(pictures, `${name}${path.replaceAll('/', '-').replace(id, 'desktop')}.png`),
        });
        const wider = await tab.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        if (wider > 0) found.push(`${name} ${path}: ${wider} pixels too wide`);
        for (const violation of await violationsOf(tab)) found.push(`${name} ${path}: ${violation}`);
      }
      await each.close();
    }
    expect(found).toEqual([]);
  });
}

/** As a link of the app does: the document stays, and axe with it, which takes a second to be read. */
async function open(service: Service, tab: Page, path: string): Promise<void> {
  const isApp = (url: string) => url.startsWith('/app');
  if (isApp(path) && isApp(tab.url().replace(service.publicUrl, '')))
    await tab.evaluate(`history.pushState(null, '', '${path}'); dispatchEvent(new PopStateEvent('popstate'))`);
  else await tab.goto(service.publicUrl + path);
  await tab.waitForSelector('h1');
  await tab.waitForTimeout(250);
}

async function violationsOf(page: Page): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.addScriptTag({ content: axe });
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await page.evaluate<AxeResult>(
    `axe.run({ resultTypes: ['violations'], runOnly: ${JSON.stringify(tags)} })`,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`));
}

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}
