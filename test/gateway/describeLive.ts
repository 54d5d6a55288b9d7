import type { Browser, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { call, type Service } from '../system/product.ts';

interface Lived {
  service: Service;
  browser: Browser;
  desktopId: () => Promise<string>;
}

/** What a page keeps open, and when it lets go of it. */
export function describeLive(at: () => Lived): void {
  const newcomer = async (name: string) => {
    const { service, browser } = at();
    const made = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'member', name } });
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(`${service.publicUrl}/sign-in/link#${made.body.token}`);
    await tab.click('main button');
    await tab.waitForSelector('.thumbnail img');
    return { context, tab };
  };

  test('a page that nobody sees holds no connection, and catches up when it is seen again', async () => {
    const { service, desktopId } = at();
    const id = await desktopId();
    const { context, tab } = await newcomer('Tabs');
    const network = await context.newCDPSession(tab);
    const open = new Set<string>();
    network.on('Network.requestWillBeSent', ({ requestId, request }) => {
      if (request.url.endsWith('/v1/events')) open.add(requestId);
    });
    for (const over of ['Network.loadingFailed', 'Network.loadingFinished'] as const)
      network.on(over, ({ requestId }) => open.delete(requestId));
    await network.send('Network.enable');
    await tab.reload();
    await expect.poll(() => open.size).toBe(1);
    await look(tab, 'hidden');
    await expect.poll(() => open.size).toBe(0);
    const { name } = (await call(service, 'GET', `/v1/desktops/${id}`)).body as { name: string };
    await call(service, 'PATCH', { path: `/v1/desktops/${id}`, body: { name: 'renamed meanwhile' } });
    await look(tab, 'visible');
    await tab.waitForSelector('text=renamed meanwhile');
    await expect.poll(() => open.size).toBe(1);
    // One that was opened in the background has missed what happened since.
    const behind = await context.newPage();
    await behind.addInitScript(state('hidden'));
    await behind.goto(`${service.publicUrl}/app`);
    await behind.waitForSelector('text=renamed meanwhile');
    await call(service, 'PATCH', { path: `/v1/desktops/${id}`, body: { name } });
    await tab.waitForSelector(`h2 >> text=${name}`);
    expect(await behind.locator('text=renamed meanwhile').count()).toBeGreaterThan(0);
    await look(behind, 'visible');
    await behind.waitForSelector(`h2 >> text=${name}`);
    await context.close();
  });

  test('who is signed out elsewhere is asked to sign in, and told of no lost network', async () => {
    const { service } = at();
    const { context, tab } = await newcomer('Gone');
    const elsewhere = await context.newPage();
    await elsewhere.goto(`${service.publicUrl}/docs`);
    const status = await elsewhere.evaluate<number>(`fetch('/gateway/session')
      .then((answer) => answer.json())
      .then(({ csrfToken }) => fetch('/gateway/sign-out', { method: 'POST', headers: { 'X-CSRF-Token': csrfToken } }))
      .then((answer) => answer.status)`);
    expect(status).toBe(204);
    await tab.waitForURL('**/sign-in**', { timeout: 20_000 });
    expect(await tab.locator('.note-bar').count()).toBe(0);
    await context.close();
  });

  test('a terminal paints what is selected, within the policy of the page', async () => {
    const { service, desktopId } = at();
    const { context, tab } = await newcomer('Lines');
    const broken: string[] = [];
    tab.on('console', (message) => message.type() === 'error' && broken.push(message.text()));
    await tab.goto(`${service.publicUrl}/app/desktops/${await desktopId()}/terminal`);
    await tab.waitForSelector('.xterm-rows >> text=agent@', { timeout: 30_000 });
    await tab.click('.terminal-target');
    await tab.keyboard.type('printf "\\033[41mred\\033[0m\\n"\n');
    await tab.waitForSelector('.xterm-rows .xterm-bg-1');
    // Its policy allows no style of an element that is written as text, with which a terminal paints what is selected.
    const { x, y, width, height } = (await tab.locator('.xterm-rows .xterm-bg-1').last().boundingBox())!;
    await tab.mouse.dblclick(x + width / 2, y + height / 2);
    const words = `[...document.querySelectorAll('.xterm-rows span')].filter((each) => each.textContent.trim() === 'red')`;
    await expect.poll(() => tab.evaluate(`${words}.at(-1).style.backgroundColor`)).toMatch(/rgb/);
    await tab.waitForTimeout(200);
    expect(broken).toEqual([]);
    await context.close();
  });
}

const state = (name: 'hidden' | 'visible') =>
  `Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${name}' });`;

async function look(tab: Page, name: 'hidden' | 'visible'): Promise<void> {
  await tab.evaluate(`${state(name)} document.dispatchEvent(new Event('visibilitychange'));`);
}
