import { existsSync, unlinkSync } from 'node:fs';
import type { Clock } from '@lebureau/kit/clock';
import { describeError, isFault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { inTime } from '../sync.ts';
import type { GivenPiece } from './givenPiece.ts';
import type { DeletedMark } from './deletedMarks.ts';
import type { LeftRecording, Recordings } from './recordings.ts';

export interface GivenRecording extends GivenPiece {
  epoch: number;
  assignmentId: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** `isWanted` false: its desktop is no more. @throws Fault */
export type GiveRecording = (given: GivenRecording, signal: AbortSignal) => Promise<{ isWanted: boolean }>;

type LeftMark = DeletedMark & { assignmentId: string };

const pieceBytes = 4_194_304;
const pieceLimitMs = 60_000;
const retryAfterMs = 60_000;

/**
 * Sends recordings after desktops that went to another node, and what was deleted of them. Each goes from here when all of it is on the disk there, or
 * its desktop is deleted; until then it is tried again, for as long as recordings are kept.
 */
export class LeftRecordings {
  readonly #parts: { recordings: Recordings; give: GiveRecording; clock: Clock; log: Log };
  readonly #retryAtMs = new Map<string, number>();
  /** Files that no node takes; they stay here for as long as recordings are kept. */
  readonly #tooLarge = new Set<string>();

  constructor(parts: { recordings: Recordings; give: GiveRecording; clock: Clock; log: Log }) {
    this.#parts = parts;
  }

  async send(epoch: number, isKnown: (assignmentId: string) => boolean, signal: AbortSignal): Promise<void> {
    const { recordings, clock } = this.#parts;
    for (const [assignmentId, atMs] of this.#retryAtMs)
      if (isKnown(assignmentId) || clock.monotonicMs() >= atMs) this.#retryAtMs.delete(assignmentId);
    recordings.setAside((assignmentId) => !isKnown(assignmentId));
    const isDue = (assignmentId: string) => !isKnown(assignmentId) && !this.#retryAtMs.has(assignmentId);
    // Before all else, so that what was deleted is not taken from others meanwhile.
    for (const mark of recordings.leftMarks(isDue)) {
      if (signal.aborted || !isDue(mark.assignmentId)) continue;
      await this.#inItsTurn(mark.assignmentId, () => this.#sendMark(mark, epoch, signal));
    }
    for (const path of this.#tooLarge) if (!existsSync(path)) this.#tooLarge.delete(path);
    for (const recording of recordings.left(isDue)) {
      const { assignmentId, path } = recording;
      if (signal.aborted || !isDue(assignmentId) || this.#tooLarge.has(path)) continue;
      await this.#inItsTurn(assignmentId, () => this.#sendUnlessTooLarge(recording, epoch, signal));
    }
  }

  /** What fails is tried again later, with all of its desktop. */
  async #inItsTurn(assignmentId: string, send: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#parts;
    try {
      await send();
    } catch (error) {
      this.#retryAtMs.set(assignmentId, clock.monotonicMs() + retryAfterMs);
      log.warn('recording not sent', { assignmentId, error: describeError(error) });
    }
  }

  /** A hostd that is older takes it for a piece that lacks what is before it, and refuses it. */
  async #sendMark(mark: LeftMark, epoch: number, signal: AbortSignal): Promise<void> {
    const { recordings, give, clock } = this.#parts;
    const { assignmentId, terminalName, path, atMs } = mark;
    const about = { epoch, assignmentId, terminalName, changedAtMs: atMs, deleted: true } as const;
    const given = { ...about, beganAt: Math.floor(atMs / 1000), offset: 1, totalBytes: 1, bytes: new Uint8Array() };
    const { isWanted } = await inTime({ clock, signal }, pieceLimitMs, (within) => give(given, within));
    if (isWanted) unlinkSync(path);
    else recordings.removeAll(assignmentId);
  }

  /** One that is too large keeps the others of its desktop from nothing. */
  async #sendUnlessTooLarge(recording: LeftRecording, epoch: number, signal: AbortSignal): Promise<void> {
    const { assignmentId, path, sizeBytes } = recording;
    const { log } = this.#parts;
    try {
      await this.#sendOne(recording, epoch, signal);
      log.info('recording sent after its desktop', { assignmentId, sizeBytes });
    } catch (error) {
      if (!isFault(error, 'payload_too_large')) throw error;
      this.#tooLarge.add(path);
      log.warn('recording too large to be sent', { assignmentId, sizeBytes });
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
