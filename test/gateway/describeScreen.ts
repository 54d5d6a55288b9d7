import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { call, type Service } from '../system/product.ts';
import { type GuestInput, listenIn, runIn } from './guestInput.ts';
import { Fingers, phone, placeOn } from './fingers.ts';

interface Seen {
  service: Service;
  browser: Browser;
  /** Of somebody who may take control. */
  context: BrowserContext;
  page: Page;
  desktopId: () => Promise<string>;
  /** Folder. */
  pictures: string;
}

interface Window {
  windowId: string;
  className: string;
}

/** What the page of a screen promises, as the desktop gets it. */
export function describeScreen(at: () => Seen): void {
  test('of a screen that stays as it is no picture is fetched again, of one that changes one is', async () => {
    const { service, page, desktopId } = at();
    const id = await desktopId();
    const answers: { status: number; bytes: Promise<number> }[] = [];
    page.on('response', (answer) => {
      if (!new URL(answer.url()).pathname.endsWith(`${id}/screenshot`)) return;
      const bytes = answer.request().sizes();
      answers.push({ status: answer.status(), bytes: bytes.then(({ responseBodySize }) => responseBodySize) });
    });
    await page.goto(`${service.publicUrl}/app`);
    const picture = page.locator('.thumbnail img');
    await picture.waitFor();
    const isQuiet = async () => {
      const last = answers.slice(-2);
      const bytes = await Promise.all(last.map((each) => each.bytes));
      return last.map(({ status }, index) => `${status} ${bytes[index]}`).join();
    };
    // The clock of the panel may turn meanwhile.
    await expect.poll(isQuiet, { timeout: 30_000 }).toBe('304 0,304 0');
    const [count, before] = [answers.length, await picture.getAttribute('src')];
    await runIn(service, id, 'setsid xmessage -center changed > /dev/null 2>&1 < /dev/null &');
    await expect.poll(() => picture.getAttribute('src'), { timeout: 30_000 }).not.toBe(before);
    const changed = answers.slice(count).find(({ status }) => status === 200)!;
    expect(await changed.bytes).toBeGreaterThan(1000);
    await expect.poll(isQuiet, { timeout: 30_000 }).toBe('304 0,304 0');
    await runIn(service, id, 'pkill xmessage');
  });

  test('the clipboard goes both ways', async () => {
    const { service, context, page, desktopId } = at();
    const id = await desktopId();
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: service.publicUrl });
    await runIn(service, id, 'setsid xfce4-appfinder --collapsed > /dev/null 2>&1 < /dev/null &');
    const entry = async () => {
      const { data } = (await call(service, 'GET', `/v1/desktops/${id}/windows`)).body as { data: Window[] };
      return data.find(({ className }) => /appfinder/i.test(className))?.windowId;
    };
    await expect.poll(entry, { timeout: 30_000 }).toBeDefined();
    const focus = `/v1/desktops/${id}/windows/${await entry()}/focus`;
    expect((await call(service, 'POST', focus)).status).toBe(200);
    await takeControl(page, `${service.publicUrl}/app/desktops/${id}`);
    const text = 'dépôt ↔ 桌面';
    await page.evaluate(`navigator.clipboard.writeText('${text}')`);
    await choose(page, 'Paste my clipboard');
    await page.waitForSelector('text=It is on the desktop’s clipboard.');
    await page.keyboard.press('Control+v');
    // A program pastes when the owner has answered, not at once.
    await page.waitForTimeout(2000);
    await page.keyboard.press('x');
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Control+c');
    const inDesktop = async () => (await call(service, 'GET', `/v1/desktops/${id}/clipboard`)).body.text as string;
    await expect.poll(inDesktop).toBe(`${text}x`);
    await choose(page, 'Copy the desktop’s clipboard');
    await page.waitForSelector('text=Clipboard copied.');
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(`${text}x`);
    await context.clearPermissions();
    // Refused by the person: said in words that help.
    await choose(page, 'Paste my clipboard');
    await page.waitForSelector('text=Allow it for this site');
    await page.click('text=Hand back');
    await runIn(service, id, 'pkill xfce4-appfinder');
  });

  test('keys that a browser keeps for itself come by the menu, in their order', async () => {
    const { service, page, desktopId } = at();
    const id = await desktopId();
    const input = await listenIn(service, id);
    await takeControl(page, `${service.publicUrl}/app/desktops/${id}`);
    const middle = async () => {
      const path = `/v1/desktops/${id}/screenshot?region=500,280,200,180`;
      const headers = { authorization: `Bearer ${service.apiKey}` };
      return Buffer.from(await (await fetch(service.baseUrl + path, { headers })).arrayBuffer());
    };
    const before = await middle();
    for (const [name, keys] of [
      ['Alt + Tab', ['Alt_L', 'Tab']],
      ['Escape', ['Escape']],
      ['F11', ['F11']],
      ['Ctrl + Alt + Delete', ['Control_L', 'Alt_L', 'Delete']],
    ] as const) {
      await input.forget();
      await choose(page, name);
      const wanted = [...keys.map((key) => `down ${key}`), ...keys.toReversed().map((key) => `up ${key}`)];
      await expect.poll(() => input.heard(), { message: name }).toEqual(wanted);
    }
    // XFCE asks whether to log out.
    await expect.poll(async () => (await middle()).equals(before), { timeout: 30_000 }).toBe(false);
    // It is seen before it listens to keys.
    const isAway = async () => {
      await choose(page, 'Escape');
      return (await middle()).equals(before);
    };
    await expect.poll(isAway, { timeout: 30_000, interval: 1000 }).toBe(true);
    await page.click('text=Hand back');
    await input.stop();
  });

  test('all of the screen fits whatever the window is, and full screen is full, with menus and messages above it', async () => {
    const { service, page, desktopId, pictures } = at();
    const id = await desktopId();
    const input = await listenIn(service, id);
    await takeControl(page, `${service.publicUrl}/app/desktops/${id}`);
    const usual = page.viewportSize()!;
    const fits = async () => {
      const { x, y, width, height } = (await page.locator('.screen-target canvas').boundingBox())!;
      const { width: wide, height: high } = page.viewportSize()!;
      expect(Math.abs(width / height - 1.6)).toBeLessThan(0.02);
      expect([x >= 0, x + width <= wide, y + height <= high + 1]).toEqual([true, true, true]);
      return width;
    };
    for (const size of [{ width: 800, height: 900 }, { width: 360, height: 740 }, usual]) {
      await page.setViewportSize(size);
      await page.waitForTimeout(100);
      await expect.poll(fits).toBeGreaterThan(0);
    }
    const small = await fits();
    await page.click('text=Full screen');
    await expect.poll(() => page.evaluate('document.fullscreenElement?.tagName')).toBe('HTML');
    await expect.poll(fits).toBeGreaterThan(small);
    await input.forget();
    const place = await placeOn(page, { x: 640, y: 300 });
    await page.mouse.click(place.x, place.y);
    await expect.poll(() => heardAt(input, 'button 1', { x: 640, y: 300 })).toEqual(['down', 'up']);
    await choose(page, 'Paste my clipboard');
    await page.waitForSelector('text=Allow it for this site');
    const above = `document.elementFromPoint(...(({ x, y }) => [x + 5, y + 5])(document.querySelector('.toast').getBoundingClientRect())).closest('.toast') !== null`;
    expect(await page.evaluate(above)).toBe(true);
    await page.screenshot({ path: join(pictures, 'full-screen.png') });
    await page.click('text=Leave full screen');
    await expect.poll(() => page.evaluate('document.fullscreenElement')).toBe(null);
    await page.click('text=Hand back');
    await input.stop();
  });

  test('fingers click, drag, scroll, zoom and press the right button', async () => {
    const { service, browser, context, desktopId, pictures } = at();
    const id = await desktopId();
    const input = await listenIn(service, id);
    const theirs = await browser.newContext({ ...phone, storageState: await context.storageState() });
    const tab = await theirs.newPage();
    await tab.goto(`${service.publicUrl}/app/desktops/${id}`);
    await tab.tap('text=Take control');
    await tab.waitForSelector('text=Tap to click');
    const fingers = await Fingers.on(tab);
    const [from, to] = [
      { x: 400, y: 300 },
      { x: 800, y: 500 },
    ];
    await input.forget();
    await fingers.tap(from);
    await expect.poll(() => heardAt(input, 'button 1', from)).toEqual(['down', 'up']);
    await input.forget();
    await fingers.drag([from], [to]);
    await expect.poll(() => heardAt(input, 'button 1', to)).toEqual(['up']);
    expect(await heardAt(input, 'button 1', from)).toEqual(['down']);
    await input.forget();
    await fingers.hold(to);
    await expect.poll(() => heardAt(input, 'button 3', to)).toEqual(['down', 'up']);
    await tab.screenshot({ path: join(pictures, 'phone-held.png') });
    await tab.keyboard.press('Escape');
    await input.forget();
    const beside = { x: 600, y: 300 };
    await fingers.drag(
      [from, beside],
      [
        { ...from, y: 700 },
        { ...beside, y: 700 },
      ],
    );
    await expect.poll(() => input.heard()).toContainEqual(expect.stringMatching(/^up button 4 /));
    expect((await input.heard()).join()).not.toMatch(/Control|button 5/);
    await input.forget();
    await fingers.drag(
      [
        { x: 560, y: 400 },
        { x: 720, y: 400 },
      ],
      [
        { x: 240, y: 400 },
        { x: 1040, y: 400 },
      ],
    );
    await expect
      .poll(async () => (await input.heard()).join())
      .toMatch(/down Control_L,down button 4 [\d ]+,up button 4 [\d ]+,.*up Control_L/);
    await input.forget();
    await tab.tap('button:has-text("Keyboard")');
    // As a keyboard on the screen does it: text appears in a field, and no key is told.
    await tab.keyboard.insertText('ab');
    await expect.poll(() => input.heard()).toEqual(['down a', 'up a', 'down b', 'up b']);
    await input.forget();
    await tab.keyboard.press('Backspace');
    await expect.poll(() => input.heard()).toEqual(['down BackSpace', 'up BackSpace']);
    await input.forget();
    // It stays open for who touches the screen in between.
    await fingers.tap(from);
    await expect.poll(() => heardAt(input, 'button 1', from)).toEqual(['down', 'up']);
    await tab.keyboard.insertText('c');
    await expect.poll(() => input.heard()).toContain('down c');
    await tab.tap('text=Hand back');
    await theirs.close();
    await input.stop();
  });
}

async function takeControl(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.click('text=Take control');
  await page.waitForSelector('text=Hand back');
  await page.waitForSelector('.screen-note', { state: 'detached' });
}

async function choose(page: Page, item: string): Promise<void> {
  await page.click('.screen-bar button:has-text("Keys and clipboard")');
  await page.click(`[role=menuitem]:text-is("${item}")`);
}

/** What was heard of a button at a place, or as near as the smaller screen of a phone tells. */
export async function heardAt(input: GuestInput, button: string, at: { x: number; y: number }): Promise<string[]> {
  const nearPx = 5;
  return (await input.heard()).flatMap((line) => {
    const [, verb, what, x, y] = /^(\w+) (button \d+) (\d+) (\d+)$/.exec(line) ?? [];
    const isNear = Math.abs(Number(x) - at.x) <= nearPx && Math.abs(Number(y) - at.y) <= nearPx;
    return what === button && isNear ? [verb!] : [];
  });
}
