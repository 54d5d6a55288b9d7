/** One grain of what is kept: points of so many seconds, so many of them in a chunk, for so long. */
export interface Tier {
  stepSeconds: number;
  chunkPoints: number;
  keptSeconds: number;
}

const hour = 3600;
const day = 24 * hour;

/** Finest first; each step is a multiple of the one before. What is answered reaches back as far as `keptSeconds`. */
export const tiers = [
  { stepSeconds: 10, chunkPoints: 60, keptSeconds: hour },
  { stepSeconds: 120, chunkPoints: 30, keptSeconds: day },
  { stepSeconds: 600, chunkPoints: 36, keptSeconds: 31 * day },
] as const satisfies readonly Tier[];

export const [finest] = tiers;
export const finestMs = finest.stepSeconds * 1000;

/** Ten minutes: what came in until the end of such a window is rolled up together. */
export const windowMs = finestMs * finest.chunkPoints;

export function chunkSecondsOf(tier: Tier): number {
  return tier.stepSeconds * tier.chunkPoints;
}

/** Chunks go as a whole, a little after their last point is too old. */
export function droppedBeforeMs(tier: Tier, nowMs: number): number {
  return nowMs - (tier.keptSeconds + chunkSecondsOf(tier)) * 1000;
}
