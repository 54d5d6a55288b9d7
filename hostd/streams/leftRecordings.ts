import { unlinkSync } from 'node:fs';
import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { inTime } from '../sync.ts';
import type { GivenPiece } from './givenPiece.ts';
import type { LeftRecording, Recordings } from './recordings.ts';

export interface GivenRecording extends GivenPiece {
  epoch: number;
  assignmentId: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** `isWanted` false: its desktop is no more. @throws Fault */
export type GiveRecording = (given: GivenRecording, signal: AbortSignal) => Promise<{ isWanted: boolean }>;

const pieceBytes = 4_194_304;
const pieceLimitMs = 60_000;
const retryAfterMs = 60_000;

/**
 * Sends recordings after desktops that went to another node. Each goes from here when all of it is on the disk there, or
 * its desktop is deleted; until then it is tried again, for as long as recordings are kept.
 */
export class LeftRecordings {
  readonly #parts: { recordings: Recordings; give: GiveRecording; clock: Clock; log: Log };
  readonly #retryAtMs = new Map<string, number>();

  constructor(parts: { recordings: Recordings; give: GiveRecording; clock: Clock; log: Log }) {
    this.#parts = parts;
  }

  async send(epoch: number, isKnown: (assignmentId: string) => boolean, signal: AbortSignal): Promise<void> {
    const { recordings, clock, log } = this.#parts;
    for (const [assignmentId, atMs] of this.#retryAtMs)
      if (isKnown(assignmentId) || clock.monotonicMs() >= atMs) this.#retryAtMs.delete(assignmentId);
    const isDue = (assignmentId: string) => !isKnown(assignmentId) && !this.#retryAtMs.has(assignmentId);
    for (const recording of recordings.left(isDue)) {
      const { assignmentId } = recording;
      if (signal.aborted || !isDue(assignmentId)) continue;
      try {
        await this.#sendOne(recording, epoch, signal);
        log.info('recording sent after its desktop', { assignmentId, sizeBytes: recording.sizeBytes });
      } catch (error) {
        this.#retryAtMs.set(assignmentId, clock.monotonicMs() + retryAfterMs);
        log.warn('recording not sent', { assignmentId, error: describeError(error) });
      }
    }
  }

  async #sendOne(recording: LeftRecording, epoch: number, signal: AbortSignal): Promise<void> {
    const { path, sizeBytes: totalBytes, ...about } = recording;
    const { recordings, give, clock } = this.#parts;
    const file = Bun.file(path);
    for (let offset = 0; offset < totalBytes; offset += pieceBytes) {
      const bytes = await file.slice(offset, Math.min(totalBytes, offset + pieceBytes)).bytes();
      const given = { ...about, epoch, totalBytes, offset, bytes };
      const { isWanted } = await inTime({ clock, signal }, pieceLimitMs, (within) => give(given, within));
      if (!isWanted) return recordings.removeAll(recording.assignmentId);
    }
    unlinkSync(path);
  }
}
