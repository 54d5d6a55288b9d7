import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Debian's Chromium, as it starts for root and asks nobody outside, whatever happens to this machine's networks meanwhile. */
export function openChromium(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: join(import.meta.dirname, 'chromium.sh'),
    env: { ...process.env, LEBUREAU_TEST_BUN: process.execPath },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      ...more,
    ],
  });
}
