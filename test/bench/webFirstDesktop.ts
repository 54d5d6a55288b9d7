import type { Browser } from 'playwright-core';
import { phone } from '../gateway/fingers.ts';
import { call, type Service } from '../system/product.ts';
import { type Figure, figure } from './figure.ts';

const reachSeconds = 60;
const laptop = { viewport: { width: 1280, height: 800 } };
const limitMs = 120_000;

/**
 * What a newcomer does after `npm start` printed a link: open it, say yes, make a desktop, look at it, take the mouse.
 * A machine reads and aims in no time, so this is the part of the minute that is ours.
 */
export async function firstDesktopFigures(browser: Browser, service: Service): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, device] of Object.entries({ laptop, phone })) {
    const steps = await firstDesktop(browser, service, device);
    const value = Object.values(steps).reduce((sum, each) => sum + each, 0);
    figures.push(
      figure(`from the printed link to the mouse of a live desktop, on a ${name}`, 's', {
        value,
        at: '<=',
        reach: reachSeconds,
        detail: { seconds: steps },
      }),
    );
  }
  return figures;
}

async function firstDesktop(
  browser: Browser,
  service: Service,
  device: typeof laptop | typeof phone,
): Promise<Record<string, number>> {
  const context = await browser.newContext(device);
  context.setDefaultTimeout(limitMs);
  const page = await context.newPage();
  const seconds: Record<string, number> = {};
  const step = async (name: string, work: () => Promise<unknown>) => {
    const beganMs = performance.now();
    await work();
    seconds[name] = Math.round(performance.now() - beganMs) / 1000;
  };
  const press = (selector: string) => ('hasTouch' in device ? page.tap(selector) : page.click(selector));
  const name = 'hasTouch' in device ? 'by phone' : 'by laptop';
  // The printed one has signed in who measures the pages; these are its like.
  const made = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'admin', name } });
  const its = `article:has-text("${name}")`;
  await step('signIn', async () => {
    await page.goto(`${service.publicUrl}/sign-in/link#${made.body.token}`);
    await press('main button');
    await page.waitForSelector('text=New desktop');
  });
  await step('create', async () => {
    await press('text=New desktop');
    await page.fill('[name=name]', name);
    await press('dialog >> text=Create');
    await page.waitForSelector(`${its} >> .badge.running`);
  });
  await step('look', async () => {
    await press(`${its} >> h2 a`);
    await page.waitForSelector('.screen-target canvas');
    // Stands there until the first picture has come.
    await page.waitForSelector('.screen-note', { state: 'detached' });
  });
  await step('take', async () => {
    await press('text=Take control');
    await page.waitForSelector('text=Hand back');
    await press('.screen-target canvas');
  });
  const id = new URL(page.url()).pathname.split('/')[3]!;
  await context.close();
  await call(service, 'DELETE', `/v1/desktops/${id}`);
  return seconds;
}
