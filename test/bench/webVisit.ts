import type { Browser, BrowserContextOptions } from 'playwright-core';

/** What one page brings to a browser that has nothing of it yet, and when its largest part was painted. */
export interface Visit {
  /** Transferred bytes of document, scripts and styles, compressed as they are sent. */
  bytes: number;
  /** Of them noVNC and xterm, which come after the page. */
  viewerBytes: number;
  pictureBytes: number;
  largestPaintMs: number;
}

const viewers = /\/assets\/(?:ScreenPanel|TerminalPanel)-/;
const readyLimitMs = 60_000;
/** For what comes after a page says that it is ready, pictures above all. */
const settleMs = 700;

export async function visit(
  browser: Browser,
  address: string,
  how: { ready: string; state?: BrowserContextOptions['storageState'] },
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    ...(how.state === undefined ? {} : { storageState: how.state }),
  });
  try {
    const page = await context.newPage();
    const network = await context.newCDPSession(page);
    const loads = new Map<string, { url: string; type: string }>();
    const seen: Visit = { bytes: 0, viewerBytes: 0, pictureBytes: 0, largestPaintMs: 0 };
    network.on('Network.responseReceived', ({ requestId, response, type }) =>
      loads.set(requestId, { url: response.url, type }),
    );
    network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const { url, type } = loads.get(requestId) ?? { url: '', type: '' };
      if (type === 'Image') seen.pictureBytes += encodedDataLength;
      if (!['Document', 'Script', 'Stylesheet'].includes(type)) return;
      seen.bytes += encodedDataLength;
      if (viewers.test(url)) seen.viewerBytes += encodedDataLength;
    });
    await network.send('Network.enable');
    await page.goto(address);
    await page.waitForSelector(how.ready, { timeout: readyLimitMs });
    await page.waitForTimeout(settleMs);
    seen.largestPaintMs = await page.evaluate<number>(`new Promise((resolve) =>
      new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
        .observe({ type: 'largest-contentful-paint', buffered: true }))`);
    return seen;
  } finally {
    await context.close();
  }
}
