import { expect, test } from 'vitest';
import { isPainted } from './painted.ts';

function screen(paint: (x: number, y: number) => number) {
  const [width, height] = [1280, 800];
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) pixels.writeUInt32LE(paint(x, y), (y * width + x) * 4);
  return { width, height, pixels };
}

test('a black screen with a pointer is not painted, whatever the unused byte holds', () => {
  const pointer = (x: number, y: number) => x >= 640 && x < 652 && y >= 400 && y < 418;
  expect(isPainted(screen((x, y) => (pointer(x, y) ? 0xff_ff_ff : 0)))).toBe(false);
  expect(isPainted(screen((x, y) => ((x * y) % 256) * 2 ** 24))).toBe(false);
});

test('a panel or a wallpaper makes it painted', () => {
  expect(isPainted(screen((_, y) => (y >= 767 ? 0x33_33_33 : 0)))).toBe(true);
  expect(isPainted(screen((x, y) => x + y))).toBe(true);
});
