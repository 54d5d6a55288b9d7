import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LeBureau } from '@lebureau/sdk';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { call, type Service } from '../system/product.ts';

interface Stage {
  service: Service;
  page: Page;
  /** A folder for pictures. */
  pictures: string;
  desktopId: () => Promise<string>;
}

/** A large file from a page and by the SDK, into a real VM, while what is in between goes away. */
export function testUploads(stage: () => Stage): void {
  test('a large file goes on where it was: paused, over a lost network, and for the SDK over a dead API and hostd', async () => {
    const { service, page, pictures, desktopId } = stage();
    const id = await desktopId();
    const content = new Uint8Array(randomBytes(6_000_000));
    const file = join(service.home, 'large.bin');
    writeFileSync(file, content);
    await page.goto(`${service.publicUrl}/app/desktops/${id}/files`);
    const sent: string[] = [];
    let isAway = false;
    await page.route('**/files/uploads/**', (route) => {
      if (isAway) return route.abort('internetdisconnected');
      const offset = new URL(route.request().url()).searchParams.get('offset');
      if (offset !== null) sent.push(offset);
      // The first piece comes in, and then the network is away.
      isAway = sent.length === 1;
      return route.continue();
    });
    await page.setInputFiles('input[type=file]', file);
    const row = page.locator('.uploads li:has-text("large.bin")');
    await row.getByText('Waiting for the network').waitFor();
    await row.getByText('Pause', { exact: true }).click();
    await row.getByText('Paused').waitFor();
    await row.getByText('Go on').click();
    await row.getByText('Waiting for the network').waitFor();
    await page.screenshot({ path: join(pictures, 'upload-cut.png') });
    sent.push('back');
    isAway = false;
    await page.evaluate("dispatchEvent(new Event('online'))");
    await row.getByText('uploaded').waitFor({ timeout: 60_000 });
    await page.unroute('**/files/uploads/**');
    expect(sent.slice(0, 3)).toEqual(['0', 'back', '1048576']);
    await page.waitForSelector('.file-table >> text=large.bin');
    const sha256 = createHash('sha256').update(content).digest('hex');
    const sumOf = async (name: string) =>
      (await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: `sha256sum ~/${name}` } })).body
        .stdout;
    expect(await sumOf('large.bin')).toBe(`${sha256}  /home/agent/large.bin\n`);

    const both = ['api', 'hostd'] as const;
    let puts = 0;
    let failures = 0;
    const bureau = new LeBureau({
      baseUrl: service.baseUrl,
      apiKey: service.apiKey,
      async fetch(url, init) {
        if (init.method === 'PUT' && ++puts === 2) {
          await Promise.all(both.map((name) => service.kill(name)));
          setTimeout(() => void Promise.all(both.map((name) => service.start(name))), 100);
        }
        return await fetch(url, init).catch((error: unknown) => {
          failures++;
          throw error;
        });
      },
    });
    const told: number[] = [];
    const receipt = await bureau.desktop(id).files.upload('~/from the SDK.bin', content, {
      onUpload: ({ receivedBytes }) => told.push(receivedBytes),
    });
    expect(failures).toBeGreaterThan(0);
    expect(receipt).toMatchObject({ sha256, entry: { sizeBytes: content.length } });
    expect(await sumOf('"from the SDK.bin"')).toContain(sha256);
    // It never went back.
    expect(told).toEqual(told.toSorted((one, other) => one - other));
    const left = await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'ls -A ~' } });
    expect(left.body.stdout).not.toContain('.upload');
  });
}
