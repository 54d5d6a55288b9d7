import type { Write } from '../db/database.ts';
import { dropChunks, dropOfDestroyed } from './store.ts';
import { droppedBeforeMs, tiers } from './tiers.ts';

/** How long the metrics of a desktop outlive it, and how long the service may be off without forgetting that. */
const outlivedMs = 24 * 3_600_000;
const lookedBackMs = 3 * outlivedMs;

/** Removes what is too old, and what desktops left that have been gone for a day. */
export async function forgetMetrics(write: Write, nowMs: number): Promise<void> {
  for (const tier of tiers) await dropChunks(write, tier, droppedBeforeMs(tier, nowMs));
  await dropOfDestroyed(write, { fromMs: nowMs - lookedBackMs, toMs: nowMs - outlivedMs });
}
