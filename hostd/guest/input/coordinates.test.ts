import { expect, test } from 'vitest';
import { type CoordinateMap, frameMap, normalizedMap, screenMap } from './coordinates.ts';

const screen = { width: 1280, height: 800 };

test('pixels of a frame are rounded, normalised ones floored', () => {
  const half = frameMap({ width: 640, height: 400, region: { x: 0, y: 0, ...screen } }, screen);
  expect(half.point({ x: 100.3, y: 50.2 })).toEqual({ x: 201, y: 100 });
  const larger = frameMap({ width: 1920, height: 1200, region: { x: 0, y: 0, ...screen } }, screen);
  expect(larger.point({ x: 100, y: 101 })).toEqual({ x: 67, y: 67 });
  const normalized = normalizedMap(1000, screen);
  expect(normalized.point({ x: 999, y: 999 })).toEqual({ x: 1278, y: 799 });
  expect(normalized.point({ x: 500, y: 1 })).toEqual({ x: 640, y: 0 });
});

test('a frame of a part of the screen is read from its corner', () => {
  const zoomed = frameMap({ width: 400, height: 200, region: { x: 300, y: 200, width: 200, height: 100 } }, screen);
  expect(zoomed.point({ x: 0, y: 0 })).toEqual({ x: 300, y: 200 });
  expect(zoomed.point({ x: 200, y: 100 })).toEqual({ x: 400, y: 250 });
  expect(zoomed.region({ x: 100, y: 100, width: 100, height: 100 })).toEqual({ x: 350, y: 250, width: 50, height: 50 });
});

test('one pixel outside is rounding, more is refused, and so is what is no number', () => {
  const map = screenMap(screen);
  expect(map.point({ x: 1280, y: 800 })).toEqual({ x: 1279, y: 799 });
  expect(map.point({ x: -1, y: -0.5 })).toEqual({ x: 0, y: 0 });
  for (const at of [
    { x: 1281, y: 0 },
    { x: 0, y: 800.5 },
    { x: -1.1, y: 0 },
    { x: Number.NaN, y: 0 },
    { x: 0, y: Number.POSITIVE_INFINITY },
  ]) {
    expect(() => map.point(at)).toThrow(expect.objectContaining({ code: 'out_of_bounds' }));
  }
  expect(() => map.region({ x: 1200, y: 0, width: 90, height: 10 })).toThrow(
    expect.objectContaining({ code: 'out_of_bounds' }),
  );
});

test('every place of every space lands on the screen, in the same order, and back within a pixel of the picture', () => {
  const screens = [screen, { width: 1, height: 1 }, { width: 1366, height: 768 }, { width: 3840, height: 2160 }];
  const sizes = [
    { width: 7, height: 3 },
    { width: 640, height: 400 },
    { width: 1280, height: 800 },
    { width: 2000, height: 99 },
  ];
  // Told together: a hundred thousand calls of expect take seconds.
  const wrong: object[] = [];
  for (const target of screens) {
    const maps: [CoordinateMap, number][] = [
      ...sizes.map((size): [CoordinateMap, number] => [
        frameMap({ ...size, region: { x: 0, y: 0, ...target } }, target),
        size.width,
      ]),
      [normalizedMap(1000, target), 1000],
      [normalizedMap(1, target), 1],
    ];
    for (const [map, width] of maps) {
      let last = -1;
      for (let x = 0; x < width; x += 0.37) {
        const at = map.point({ x, y: 0 });
        const onScreen = Number.isInteger(at.x) && at.x >= last && at.x < target.width;
        const back = Math.abs((at.x * width) / target.width - x);
        if (!onScreen || back > Math.max(1, width / target.width)) wrong.push({ x, at, width, target });
        last = at.x;
      }
    }
  }
  expect(wrong).toEqual([]);
});
