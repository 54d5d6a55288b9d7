import { sql } from 'kysely';
import type { Write } from '../db/database.ts';
import type { Services } from '../services.ts';
import { type Chunk, packChunk, unpackChunk } from './chunk.ts';
import { unpackReport, type ToldSample } from './journal.ts';
import { type ChunkKey, chunkKeysOf, mergeSamples } from './mergeSamples.ts';
import { chunksOf, partsToRoll, putChunks, takeReports } from './store.ts';
import { windowMs } from './tiers.ts';

/** What a sample over the end of the window needs to arrive. */
const graceMs = 15_000;
/** Of one transaction: some ten minutes of a part, which is some 30 desktops. */
const reportsAtOnce = 120;
const breathMs = 20;
const lockNumber = 7_163_430;
/**
 * Rolls up what came in before the last ten minutes began. Each part of a node's report is
 * a transaction of its own: what is taken out of the reports is in the chunks, or neither happened.
 */
export async function rollUpMetrics(services: Services): Promise<void> {
  const { database, clock, ending } = services;
  const nowMs = clock.nowMs();
  const beforeMs = Math.floor((nowMs - graceMs) / windowMs) * windowMs;
  const parts = await partsToRoll(database.read, beforeMs);
  for (const { nodeId, part } of parts) {
    const take = { nodeId, part, beforeMs, limit: reportsAtOnce };
    while (!ending.aborted && (await database.write((write) => rollPart(services, write, take))) === reportsAtOnce);
    if (ending.aborted) return;
    // Others write in between.
    await clock.sleep(breathMs, ending);
  }
}

/** @returns how many reports were rolled up */
async function rollPart(
  { database }: Services,
  write: Write,
  take: { nodeId: string; part: number; beforeMs: number; limit: number },
): Promise<number> {
  // One replica at a time: a desktop that was moved is in the reports of two nodes.
  if (database.flavour === 'postgres') await sql`select pg_advisory_xact_lock(${lockNumber})`.execute(write.db);
  const reports = await takeReports(write, take);
  const samplesOf = Map.groupBy(reports.flatMap(unpackReport), (sample) => sample.desktopId);
  const keys = [...samplesOf].flatMap(([desktopId, samples]) =>
    chunkKeysOf(samples).map((key) => ({ desktopId, ...key })),
  );
  const known = new Map((await chunksOf(write, keys)).map((row) => [nameOf(row.desktopId, row), row.data]));
  const changed = [...samplesOf].flatMap(([desktopId, samples]) => merged(desktopId, samples, known));
  await putChunks(write, changed);
  return reports.length;
}

function merged(desktopId: string, samples: readonly ToldSample[], known: ReadonlyMap<string, Uint8Array>) {
  const chunks = new Map<string, { key: ChunkKey; chunk: Chunk }>();
  mergeSamples(
    samples.toSorted((a, b) => a.atMs - b.atMs),
    (key, tier) => {
      const name = nameOf(desktopId, key);
      const open = chunks.get(name);
      if (open !== undefined) return open.chunk;
      const bytes = known.get(name);
      const chunk = bytes === undefined ? [] : unpackChunk(bytes);
      // Its length is what it holds at most, so that every point has its place.
      chunk.length = tier.chunkPoints;
      chunks.set(name, { key, chunk });
      return chunk;
    },
  );
  return [...chunks.values()].map(({ key, chunk }) => ({
    desktopId,
    ...key,
    data: packChunk(Array.from(chunk), key.stepSeconds * 1000),
  }));
}

function nameOf(desktopId: string, key: ChunkKey): string {
  return `${desktopId} ${key.stepSeconds} ${key.startMs}`;
}
