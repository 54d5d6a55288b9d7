import { createHash, randomBytes } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Service } from '../system/product.ts';
import { runIn } from './guestInput.ts';

interface Stage {
  service: Service;
  context: BrowserContext;
  /** A folder for pictures. */
  pictures: string;
  desktopId: () => Promise<string>;
}

const sizeBytes = 3_000_000;
const pieceBytes = 1_048_576;

/** Uploads whose page was closed. */
export function testLeftUploads(stage: () => Stage): void {
  test('an upload whose page was loaded again goes on with the same file, refuses another, and can be dropped', async () => {
    const { service, context, pictures, desktopId } = stage();
    const id = await desktopId();
    const url = `${service.publicUrl}/app/desktops/${id}/files`;
    const path = join(service.home, 'left.bin');
    const content = randomBytes(sizeBytes);
    /** The same name and size, at another time or not. */
    const put = (bytes: Buffer, seconds: number) => {
      writeFileSync(path, bytes);
      utimesSync(path, seconds, seconds);
    };
    const tab = await context.newPage();
    const row = tab.locator('.uploads li:has-text("left.bin")');
    put(content, 1_700_000_000);
    await beginAndLeave(tab, url, path);
    await row.getByText('Interrupted').waitFor();
    expect(await row.textContent()).toMatch(/1\.0\sMB of 3\.0\sMB/);
    await tab.screenshot({ path: join(pictures, 'upload-interrupted.png') });
    put(content, 1_700_000_001);
    await row.locator('input[type=file]').setInputFiles(path);
    await tab.waitForSelector('text=That is another file than left.bin was');
    put(content, 1_700_000_000);
    const offsets = offsetsOf(tab);
    await row.locator('input[type=file]').setInputFiles(path);
    await row.getByText('uploaded').waitFor();
    expect(offsets[0]).toBe(String(pieceBytes));
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(await runIn(service, id, 'sha256sum ~/left.bin')).toBe(`${sha256}  /home/agent/left.bin\n`);

    // The same name, size and date, and not the same: what is in the place stays as it was.
    put(content, 1_700_000_000);
    await beginAndLeave(tab, url, path);
    await row.getByText('Interrupted').waitFor();
    put(randomBytes(sizeBytes), 1_700_000_000);
    await tab.setInputFiles('.files .page-head input[type=file]', path);
    await row.getByText('The checksum differs').waitFor();
    expect(await runIn(service, id, 'sha256sum ~/left.bin')).toContain(sha256);
    await row.getByText('Cancel').click();

    put(content, 1_700_000_000);
    await beginAndLeave(tab, url, path);
    await row.getByText('Interrupted').waitFor();
    expect(await runIn(service, id, 'ls -A ~')).toContain('.upload');
    await row.getByText('Cancel').click();
    await row.waitFor({ state: 'detached' });
    await expect.poll(() => runIn(service, id, 'ls -A ~')).not.toContain('.upload');
    await tab.reload();
    await tab.waitForSelector('.file-table');
    await tab.waitForTimeout(500);
    expect(await row.count()).toBe(0);
    await tab.close();
  });
}

/** Sends the first piece, and loads the page again while the rest waits. */
async function beginAndLeave(tab: Page, url: string, path: string): Promise<void> {
  await tab.goto(url);
  let pieces = 0;
  await tab.route('**/files/uploads/**', (route) =>
    route.request().url().includes('offset=') && ++pieces > 1 ? route.abort('connectionreset') : route.continue(),
  );
  await tab.setInputFiles('.files .page-head input[type=file]', path);
  await tab.locator('.uploads li:has-text("left.bin")').getByText('Waiting for the network').waitFor();
  // Away first: the page would send the rest.
  await tab.goto('about:blank');
  await tab.unroute('**/files/uploads/**');
  await tab.goto(url);
}

function offsetsOf(tab: Page): string[] {
  const offsets: string[] = [];
  tab.on('request', (request) => {
    const offset = new URL(request.url()).searchParams.get('offset');
    if (offset !== null) offsets.push(offset);
  });
  return offsets;
}
