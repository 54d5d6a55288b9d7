import { expect, test } from 'vitest';
import { type Chunk, packChunk, unpackChunk } from './chunk.ts';
import { mergeSamples } from './mergeSamples.ts';
import {
  type Point,
  type Sample,
  type Values,
  addPoint,
  coveredMs,
  emptyPoint,
  meanOf,
  measures,
  msAt,
  peakAt,
  peakOf,
  spread,
  valueAt,
} from './point.ts';
import { finestMs, tiers } from './tiers.ts';

/** The same numbers at every run. */
function dice(seed: number): (max: number) => number {
  let state = seed;
  return (max) => (state = (state * 48_271) % 2_147_483_647) % (max + 1);
}

const names = measures.map(({ name }) => name);
const limits = [80_000, 2 ** 32, 2 ** 32, 2 ** 33, 2 ** 44, 2 ** 44, 1_000_000, 1000];

/** Samples one after the other, uneven, some with holes. */
function samplesFrom(seed: number, count: number): Sample[] {
  const roll = dice(seed);
  let atMs = 1_795_000_000_000 + roll(600_000);
  return Array.from({ length: count }, () => {
    const overMs = 9_000 + roll(2_000);
    if (roll(9) === 0) atMs += roll(300_000);
    atMs += overMs;
    const values: Values = {};
    for (const [at, name] of names.entries())
      if (roll(7) > 0) values[name] = Math.floor((roll(1_000_000) / 1_000_000) * limits[at]!);
    return { atMs, overMs, values };
  });
}

function merge(samples: readonly Sample[], into = new Map<string, Chunk>()): Map<string, Chunk> {
  mergeSamples(samples, ({ stepSeconds, startMs }, tier) => {
    const name = `${stepSeconds} ${startMs}`;
    const chunk = into.get(name) ?? Array.from({ length: tier.chunkPoints }, () => undefined);
    into.set(name, chunk);
    return chunk;
  });
  return into;
}

const pointsIn = (chunks: ReadonlyMap<string, Chunk>, stepSeconds: number): Point[] =>
  [...chunks].flatMap(([name, chunk]) =>
    name.startsWith(`${stepSeconds} `) ? chunk.filter((point): point is Point => point !== undefined) : [],
  );

function total(points: readonly Point[]): Point {
  const all = emptyPoint();
  for (const point of points) addPoint(all, point);
  return all;
}

test('what a sample says is shared out over the steps that it touches, and nothing of it is lost', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const [sample] = samplesFrom(seed, 1);
    const parts = spread(sample!, finestMs);
    const all = total(parts.map(([, point]) => point));
    expect(coveredMs(all)).toBe(sample!.overMs);
    for (const [at, { name, kind, grain, peak }] of measures.entries()) {
      const told = sample!.values[name];
      const value = told === undefined ? undefined : Math.round(told / grain);
      expect(all[msAt(at)]).toBe(value === undefined ? 0 : sample!.overMs);
      if (value !== undefined) expect(all[valueAt(at)]).toBe(value);
      if (value === undefined) expect(meanOf(all, at)).toBeUndefined();
      if (value !== undefined && kind === 'level' && peak) expect(all[peakAt(at)]).toBe(value);
    }
  }
});

test('a peak is never below the mean, however short the part of a step', () => {
  for (let overMs = 9_000; overMs < 11_000; overMs += 7)
    for (const [, point] of spread({ atMs: 1_000_003, overMs, values: { cpuMs: 533 } }, finestMs))
      expect(peakOf(point, 0)).toBeGreaterThanOrEqual(meanOf(point, 0)!);
});

test('every tier says the same: sums to the last byte, means, peaks', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const samples = samplesFrom(seed, 150);
    const chunks = merge(samples);
    const finest = total(pointsIn(chunks, 10));
    for (const [at, { name, kind, grain, peak }] of measures.entries()) {
      const told = samples.filter((sample) => sample.values[name] !== undefined);
      const sum = told.reduce((all, sample) => all + sample.values[name]!, 0);
      if (kind === 'sum') expect(finest[valueAt(at)], name).toBe(sum);
      const highest = Math.max(
        ...told.map(({ values, overMs }) =>
          kind === 'sum' ? Math.round((values[name]! / overMs) * 1000) : Math.round(values[name]! / grain),
        ),
      );
      for (const { stepSeconds } of tiers) {
        const all = total(pointsIn(chunks, stepSeconds));
        expect(all[msAt(at)]).toBe(finest[msAt(at)]);
        expect(all[peakAt(at)]).toBe(peak ? highest : 0);
        if (kind === 'sum') expect(all[valueAt(at)]).toBe(sum);
        const mean =
          told.reduce((some, { values, overMs }) => some + (values[name]! / grain) * overMs, 0) / finest[msAt(at)]!;
        // Each addition rounds by half a grain at most.
        if (kind === 'level') expect(Math.abs(all[valueAt(at)]! - mean)).toBeLessThan(samples.length);
      }
    }
  }
});

/** Times may differ by a hundredth of the step where nearly all of it was covered; nothing else. */
function expectKept(read: Point | undefined, point: Point | undefined, stepMs: number): void {
  const isEven = point !== undefined && Math.abs(coveredMs(point) - stepMs) <= stepMs / 100;
  if (!isEven) return expect(read).toEqual(point);
  expect(coveredMs(read!)).toBe(stepMs);
  for (const at of measures.keys()) {
    const [kept, ms] = [read![msAt(at)]!, point[msAt(at)]!];
    expect(Math.abs(kept - ms)).toBeLessThanOrEqual(stepMs / 100);
    if (kept > 0) expect([read![valueAt(at)], read![peakAt(at)]]).toEqual([point[valueAt(at)], point[peakAt(at)]]);
    else expect(ms).toBeLessThanOrEqual(stepMs / 100);
  }
}

test('a chunk is read as it was written', () => {
  for (let seed = 1; seed <= 60; seed++)
    for (const [name, chunk] of merge(samplesFrom(seed, 120))) {
      const stepMs = Number(name.split(' ')[0]) * 1000;
      const bytes = packChunk(chunk, stepMs);
      const read = unpackChunk(bytes);
      expect(packChunk(read, stepMs)).toEqual(bytes);
      for (const [at, point] of chunk.entries()) expectKept(read[at], point, stepMs);
    }
  // Known for less than what is evened out.
  const short = emptyPoint();
  Object.assign(short, { 0: 10_090, [msAt(0)]: 50, [valueAt(0)]: 7, [peakAt(0)]: 140 });
  short[msAt(7)] = 10_090;
  short[valueAt(7)] = 5;
  const read = unpackChunk(packChunk([short], 10_000))[0]!;
  expect([read[msAt(0)], read[valueAt(0)], read[msAt(7)], read[valueAt(7)]]).toEqual([0, 0, 10_000, 5]);
  expect(unpackChunk(Uint8Array.of(99, 1, 2, 3))).toEqual([]);
});

test('what is told twice counts once, and a step never holds much more than it lasts', () => {
  const samples = samplesFrom(5, 50).map((sample) => ({ ...sample, overMs: 10_000 }));
  const chunks = merge(samples);
  const before = structuredClone(chunks);
  for (let times = 0; times < 5; times++) merge(samples, chunks);
  for (const point of pointsIn(chunks, 10)) expect(coveredMs(point)).toBeLessThanOrEqual(15_000);
  const full = (all: ReadonlyMap<string, Chunk>) =>
    total(pointsIn(all, 10).filter((point) => coveredMs(point) >= 7_501));
  expect(coveredMs(full(chunks))).toBeLessThan(1.5 * coveredMs(total(pointsIn(before, 10))) + 1);
  for (const at of measures.keys())
    expect(total(pointsIn(chunks, 10))[peakAt(at)]).toBe(total(pointsIn(before, 10))[peakAt(at)]);
});
