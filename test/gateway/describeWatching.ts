import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { call, type Service } from '../system/product.ts';

interface Watched {
  service: Service;
  browser: Browser;
  /** Of the owner. */
  page: Page;
  /** A desktop that is ready, with a file. */
  desktopId: () => Promise<string>;
  /** Folder. */
  pictures: string;
}

/** Looking on: as somebody who may do no more, and at what happened before. */
export function describeWatching(at: () => Watched): void {
  test('who may only watch sees the screen and how it is, and nothing that would be refused', async () => {
    const { service, browser, desktopId, pictures } = at();
    const id = await desktopId();
    const made = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'viewer', name: 'Vi' } });
    const theirs = await browser.newContext();
    const tab = await theirs.newPage();
    const refused: string[] = [];
    tab.on('response', (answer) => answer.status() >= 400 && refused.push(`${answer.status()} ${answer.url()}`));
    await tab.goto(`${service.publicUrl}/sign-in/link#${made.body.token}`);
    await tab.click('main button');
    await tab.waitForSelector('.thumbnail img');
    expect(await tab.locator('article button, button:has-text("New desktop")').count()).toBe(0);
    await tab.click('nav >> text=Settings');
    await tab.waitForSelector('h1');
    expect(await tab.locator('[href$="/settings/keys"], [href$="/settings/mcp"]').count()).toBe(0);
    await tab.goto(`${service.publicUrl}/app/desktops/${id}`);
    await tab.locator('.screen-target canvas').waitFor();
    await tab.waitForSelector('.screen-note', { state: 'detached' });
    expect(await tab.locator('text=Take control').count()).toBe(0);
    expect(await tab.locator('[href$="/terminal"], [href$="/ports"]').count()).toBe(0);
    await tab.click('text=Files');
    await tab.waitForSelector('.file-table');
    expect(await tab.locator('input[type=file]').count()).toBe(0);
    await tab.click('button:has-text("Actions of dépôt")');
    expect(await tab.locator('[role=menuitem]').allTextContents()).toEqual(['Download']);
    await tab.screenshot({ path: join(pictures, 'viewer.png') });
    expect(refused).toEqual([]);
    await theirs.close();
  });

  test('what happened before the page was opened is shown page by page, and what happens now at once', async () => {
    const { service, page, desktopId } = at();
    const id = await desktopId();
    const change = (times: number) =>
      call(service, 'PATCH', { path: `/v1/desktops/${id}`, body: { labels: { at: `${times}` } } });
    for (let times = 0; times < 50; times++) await change(times);
    await page.goto(`${service.publicUrl}/app/desktops/${id}/activity`);
    const rows = page.locator('tbody tr');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(50);
    await change(50);
    await expect.poll(() => rows.count()).toBe(51);
    await page.click('text=Show earlier');
    await page.waitForSelector('tbody >> text=Created');
    expect(await page.locator('text=Show earlier').count()).toBe(0);
    expect((await rows.last().textContent())!).toContain('Created');
    await call(service, 'PATCH', { path: `/v1/desktops/${id}`, body: { labels: { team: 'lab' } } });
  });
}
