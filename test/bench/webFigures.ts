import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { openChromium } from '../gateway/chromium.ts';
import { createReady, type Service, waitFor } from '../system/product.ts';
import { type Figure, figure, quantile, summary } from './figure.ts';
import { firstDesktopFigures } from './webFirstDesktop.ts';
import { type Visit, visit } from './webVisit.ts';

const visitsEach = 5;
const kB = 1000;
const reachKB = 60;

/** Pages as a browser meets them that was never here: what they weigh, and how long one looks at nothing. */
export async function webFigures(service: Service): Promise<Figure[]> {
  await service.start('gateway');
  await waitFor(
    async () => (await fetch(`${service.publicUrl}/healthz`).catch(() => undefined))?.ok === true,
    () => `the gateway did not become ready:\n${service.log('gateway').slice(-3000)}`,
  );
  const { id } = await createReady(service);
  const browser = await openChromium();
  try {
    const state = await signIn(browser, service);
    const pages = [
      { name: '/', path: '/', ready: 'h1' },
      { name: '/docs', path: '/docs', ready: '.copy' },
      { name: '/reference', path: '/reference', ready: 'h1' },
      { name: '/reference/try', path: '/reference/try', ready: '#reference .section h1' },
      { name: '/sign-in', path: '/sign-in', ready: 'h1' },
      { name: '/app, one desktop', path: '/app', ready: 'article .badge.running', state },
      { name: '/app, its screen', path: `/app/desktops/${id}`, ready: 'canvas', state },
    ];
    const figures: Figure[] = [];
    for (const { name, path, ...how } of pages) {
      const visits: Visit[] = [];
      for (let at = 0; at < visitsEach; at++) visits.push(await visit(browser, service.publicUrl + path, how));
      figures.push(...figuresOf(name, visits));
    }
    figures.push(...(await firstDesktopFigures(browser, service)));
    return figures;
  } finally {
    await browser.close();
    await service.stop('gateway');
  }
}

function figuresOf(name: string, visits: readonly Visit[]): Figure[] {
  const largest = Math.max(...visits.map(({ bytes, viewerBytes }) => bytes - viewerBytes)) / kB;
  const paints = visits.map(({ largestPaintMs }) => largestPaintMs);
  const [{ viewerBytes, pictureBytes } = { viewerBytes: 0, pictureBytes: 0 }] = visits;
  const detail = { viewersKB: viewerBytes / kB, picturesKB: pictureBytes / kB };
  return [
    figure(`first load of ${name}, gzip`, 'kB', { value: largest, at: '<=', reach: reachKB, detail }),
    figure(`largest paint of ${name}, p50 of ${visitsEach}`, 's', {
      value: quantile(paints, 0.5) / 1000,
      at: '<=',
      reach: 1,
      detail: { ms: summary(paints) },
    }),
  ];
}

async function signIn(browser: Browser, service: Service) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const link = readFileSync(join(service.home, 'owner-link'), 'utf8').trim();
  await page.goto(`${service.publicUrl}/sign-in/link#${link}`);
  await page.click('main button');
  await page.waitForSelector('article');
  const state = await context.storageState();
  await context.close();
  return state;
}
