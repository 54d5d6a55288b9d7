import type { CDPSession, Page } from 'playwright-core';

/** A small phone of today. */
export const phone = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 3,
  isMobile: true,
  hasTouch: true,
  userAgent:
    'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
} as const;

export interface Place {
  x: number;
  y: number;
}

/** Of a place on the desktop's screen of 1280 × 800: where that is in the page. */
export async function placeOn(page: Page, { x, y }: Place): Promise<Place> {
  const box = (await page.locator('.screen-target canvas').boundingBox())!;
  return { x: box.x + (box.width * x) / 1280, y: box.y + (box.height * y) / 800 };
}

const steps = 8;
const stepMs = 16;
/** The page takes a finger that stays so long for the right button. */
const holdMs = 1100;

/** Fingers on the screen that a page shows. */
export class Fingers {
  readonly #page: Page;
  readonly #devtools: CDPSession;

  private constructor(page: Page, devtools: CDPSession) {
    this.#page = page;
    this.#devtools = devtools;
  }

  static async on(page: Page): Promise<Fingers> {
    return new Fingers(page, await page.context().newCDPSession(page));
  }

  async tap(place: Place): Promise<void> {
    await this.#touch('touchStart', [place]);
    await this.#touch('touchEnd', []);
  }

  async hold(place: Place): Promise<void> {
    await this.#touch('touchStart', [place]);
    await this.#page.waitForTimeout(holdMs);
    await this.#touch('touchEnd', []);
  }

  /** One finger for each place. */
  async drag(from: readonly Place[], to: readonly Place[]): Promise<void> {
    await this.#touch('touchStart', from);
    for (let step = 1; step <= steps; step++) {
      const part = step / steps;
      const now = from.map(({ x, y }, index) => ({
        x: x + (to[index]!.x - x) * part,
        y: y + (to[index]!.y - y) * part,
      }));
      await this.#touch('touchMove', now);
      await this.#page.waitForTimeout(stepMs);
    }
    await this.#touch('touchEnd', []);
  }

  async #touch(type: 'touchStart' | 'touchMove' | 'touchEnd', places: readonly Place[]): Promise<void> {
    const touchPoints = await Promise.all(places.map((place) => placeOn(this.#page, place)));
    await this.#devtools.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: touchPoints.map((point, id) => ({ ...point, id })),
    });
  }
}
