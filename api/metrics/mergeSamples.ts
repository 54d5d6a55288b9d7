import type { Chunk } from './chunk.ts';
import { type Point, type Sample, addPoint, coveredMs, emptyPoint, spread } from './point.ts';
import { type Tier, finest, finestMs, tiers } from './tiers.ts';

/** The chunks of one desktop by tier and number: read before, changed here, written after. */
export interface ChunkKey {
  stepSeconds: number;
  startMs: number;
}

export type ChunksOf = (key: ChunkKey, tier: Tier) => Chunk;

/**
 * A step holds no more than it lasts and half as much again, which is what a node whose messages travel unevenly comes
 * to; what is told twice, or by somebody who makes things up, counts once.
 */
const coveredMaxMs = finestMs * 1.5;

/** The chunks that these samples touch. */
export function chunkKeysOf(samples: readonly Sample[]): ChunkKey[] {
  const keys = new Map<string, ChunkKey>();
  for (const { atMs, overMs } of samples) {
    for (const tier of tiers) {
      const chunkMs = chunkMsOf(tier);
      for (let chunk = Math.floor((atMs - overMs) / chunkMs); chunk * chunkMs < atMs; chunk++)
        keys.set(`${tier.stepSeconds}:${chunk}`, { stepSeconds: tier.stepSeconds, startMs: chunk * chunkMs });
    }
  }
  return [...keys.values()];
}

/** Adds samples to the finest chunks, and what was new there to the coarser ones. */
export function mergeSamples(samples: readonly Sample[], chunksOf: ChunksOf): void {
  for (const sample of samples) {
    for (const [step, point] of spread(sample, finestMs)) {
      const known = pointAt(chunksOf, finest, step * finestMs);
      if (coveredMs(known) + coveredMs(point) > coveredMaxMs) continue;
      addPoint(known, point);
      for (const tier of tiers.slice(1)) addPoint(pointAt(chunksOf, tier, step * finestMs), point);
    }
  }
}

function pointAt(chunksOf: ChunksOf, tier: Tier, atMs: number): Point {
  const chunkMs = chunkMsOf(tier);
  const startMs = Math.floor(atMs / chunkMs) * chunkMs;
  const chunk = chunksOf({ stepSeconds: tier.stepSeconds, startMs }, tier);
  const at = Math.floor((atMs - startMs) / (tier.stepSeconds * 1000));
  return (chunk[at] ??= emptyPoint());
}

function chunkMsOf(tier: Tier): number {
  return tier.stepSeconds * tier.chunkPoints * 1000;
}
