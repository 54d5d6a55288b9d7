import { join } from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Service } from '../system/product.ts';

interface Loaded {
  service: Service;
  context: BrowserContext;
  desktopId: () => Promise<string>;
  /** Folder. */
  pictures: string;
}

/** Parts of the app whose code comes when they are opened, over a network that fails. */
export function describeParts(at: () => Loaded): void {
  test('a part of the page that does not come is asked for again, and when it never comes there is a way on', async () => {
    const { service, context, desktopId, pictures } = at();
    const id = await desktopId();
    const tab = await context.newPage();
    const asked: Record<string, number> = {};
    let isAway = true;
    await tab.route(/\/assets\/(MetricsPanel|FilesPanel|SettingsPage)-[^/]+\.(js|css)$/, (route) => {
      const name = /([A-Z]\w+)-.*(\.\w+)$/.exec(route.request().url())!.slice(1).join('');
      asked[name] = (asked[name] ?? 0) + 1;
      const isCut = name === 'SettingsPage.js' ? isAway : asked[name] === 1;
      return isCut ? route.abort('connectionreset') : route.continue();
    });
    // Neither a script nor a style sheet is missed for long.
    await tab.goto(`${service.publicUrl}/app/desktops/${id}/metrics`);
    await tab.waitForSelector('.chart-target canvas');
    await tab.click('text=Files');
    await tab.waitForSelector('.file-table');
    const style = `getComputedStyle(document.querySelector('.steps')).display`;
    expect(await tab.evaluate(style)).toBe('flex');
    expect(asked).toMatchObject({ 'FilesPanel.js': 2, 'FilesPanel.css': 2, 'MetricsPanel.js': 2 });
    await tab.click('nav >> text=Settings');
    await tab.waitForSelector('[role=alert] >> text=This part of the page did not come');
    expect(asked['SettingsPage.js']).toBe(3);
    await tab.screenshot({ path: join(pictures, 'part-failed.png') });
    isAway = false;
    await tab.click('button:has-text("Try again")');
    await tab.waitForSelector('h1:text-is("Settings")');
    await tab.close();
  });
}
