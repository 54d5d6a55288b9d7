import { expect, test } from 'vitest';
import { VirtualClock } from '../virtualclock.ts';
import { NewestSize, type TerminalSize } from './newestSize.ts';

/** A guest that takes what it is told only once `out.isOut`. */
function world() {
  const clock = new VirtualClock();
  const told: TerminalSize[] = [];
  const out = { isOut: true, asked: 0 };
  const isOut = () => {
    out.asked += 1;
    return out.isOut;
  };
  const size = new NewestSize({ tell: (each) => told.push(each), isOut, clock });
  const flood = (count: number) => {
    for (let at = 1; at <= count; at++) size.set({ columns: 2 + (at % 400), rows: at });
  };
  const later = async () => {
    for (let round = 0; round < 10; round++) await clock.next(clock.monotonicMs() + 25);
  };
  return { told, out, size, flood, later };
}

test('of thousands of sizes the guest hears the first and the last', async () => {
  const { told, flood, later } = world();
  flood(5000);
  expect(told).toEqual([{ columns: 3, rows: 1 }]);
  await later();
  expect(told.map(({ rows }) => rows)).toEqual([1, 5000]);
  flood(1);
  expect(told.map(({ rows }) => rows)).toEqual([1, 5000, 1]);
});

test('while what it was told is not out it is told nothing more, and one size waits', async () => {
  const { told, out, size, flood, later } = world();
  out.isOut = false;
  for (let round = 0; round < 5; round++) {
    flood(5000);
    await later();
  }
  expect(told).toEqual([]);
  expect(out.asked).toBeLessThan(100);
  size.set({ columns: 80, rows: 7 });
  out.isOut = true;
  await later();
  expect(told).toEqual([{ columns: 80, rows: 7 }]);
});

test('after the end nobody is told', async () => {
  const { told, out, size, flood, later } = world();
  out.isOut = false;
  flood(1);
  size.end();
  out.isOut = true;
  flood(10);
  await later();
  expect(told).toEqual([]);
});
