import { expect, test } from 'vitest';
import { type Rectangle, intersect, tileEdge, unite } from './damageGrid.ts';
import { Framebuffer } from './framebuffer.ts';

/** Repeatable numbers in [0, below). */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % below;
  };
}

function randomArea(random: (below: number) => number, width: number, height: number): Rectangle {
  const [x, y] = [random(width), random(height)];
  return { x, y, width: 1 + random(width - x), height: 1 + random(height - y) };
}

test('the changed rectangles cover exactly the tiles whose pixels changed, for any drawing', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = makeRandom(seed);
    const [width, height] = [1 + random(300), 1 + random(300)];
    const framebuffer = new Framebuffer(width, height);
    const sequence = framebuffer.damage.sequence;
    const before = Buffer.from(framebuffer.pixels);
    for (let drawing = 0; drawing < 1 + random(4); drawing++) {
      framebuffer.damage.advance();
      const area = randomArea(random, Math.ceil(width / 2), Math.ceil(height / 2));
      framebuffer.writeRows(area, Buffer.alloc(area.width * area.height * 4, random(3)), drawing);
    }
    const area = randomArea(random, width, height);
    const changed = framebuffer.damage.changedSince(sequence, area);
    const covered = new Set(changed.flatMap((rectangle) => tilesOf(rectangle)));
    const expected = new Set(tilesOf(area).filter((tile) => tileChanged(framebuffer, before, tile)));
    // A tile that was drawn over and back again may still be told.
    for (const tile of expected) expect(covered).toContain(tile);
    for (const rectangle of changed) expect(intersect(rectangle, area)).toEqual(rectangle);
    for (const [index, one] of changed.entries()) {
      for (const other of changed.slice(index + 1)) expect(intersect(one, other)).toBeUndefined();
    }
  }
});

function tilesOf(area: Rectangle): string[] {
  const tiles: string[] = [];
  for (let y = Math.floor(area.y / tileEdge); y * tileEdge < area.y + area.height; y++) {
    for (let x = Math.floor(area.x / tileEdge); x * tileEdge < area.x + area.width; x++) tiles.push(`${x},${y}`);
  }
  return tiles;
}

function tileChanged(framebuffer: Framebuffer, before: Buffer, tile: string): boolean {
  const [column, row] = tile.split(',').map(Number);
  const area = intersect(
    { x: column! * tileEdge, y: row! * tileEdge, width: tileEdge, height: tileEdge },
    framebuffer.screen,
  )!;
  for (let y = area.y; y < area.y + area.height; y++) {
    const from = (y * framebuffer.width + area.x) * 4;
    const to = from + area.width * 4;
    if (!before.subarray(from, to).equals(framebuffer.pixels.subarray(from, to))) return true;
  }
  return false;
}

test('a server that repeats itself changes nothing', () => {
  const framebuffer = new Framebuffer(200, 100);
  const same = Buffer.alloc(200 * 100 * 4, 9);
  framebuffer.damage.advance();
  framebuffer.writeRows(framebuffer.screen, same, 5);
  const sequence = framebuffer.damage.sequence;
  framebuffer.damage.advance();
  framebuffer.writeRows(framebuffer.screen, same, 6);
  expect(framebuffer.damage.changedSince(sequence, framebuffer.screen)).toEqual([]);
  expect(framebuffer.damage.lastChangeMs()).toBe(5);
});

test('quiet is told for each part of the screen', () => {
  const framebuffer = new Framebuffer(256, 128);
  framebuffer.damage.advance();
  framebuffer.writeRows({ x: 70, y: 10, width: 1, height: 1 }, Buffer.from([1, 0, 0, 0]), 42);
  expect(framebuffer.damage.lastChangeMs({ x: 64, y: 0, width: 64, height: 64 })).toBe(42);
  expect(framebuffer.damage.lastChangeMs({ x: 128, y: 0, width: 64, height: 64 })).toBe(Number.NEGATIVE_INFINITY);
});

test('rectangles unite and intersect', () => {
  const [a, b] = [
    { x: 0, y: 0, width: 2, height: 2 },
    { x: 1, y: 1, width: 4, height: 1 },
  ];
  expect(unite(a, b)).toEqual({ x: 0, y: 0, width: 5, height: 2 });
  expect(intersect(a, b)).toEqual({ x: 1, y: 1, width: 1, height: 1 });
  expect(intersect(a, { x: 2, y: 0, width: 1, height: 1 })).toBeUndefined();
});
