import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { closeCodes } from '@lebureau/kit/streamEnd';
import { listViewsById } from '../desktops/store.ts';
import type { Database } from '../db/database.ts';
import { allows, type Capability } from '../keys/capabilities.ts';
import { type Credential, stillGood } from '../keys/stillGood.ts';

export interface OpenStream {
  credential: Credential;
  /** Without it the stream ends. */
  capability: Capability;
  desktopId: string;
  assignmentId: string;
  /** Where it leads to. */
  nodeId: string;
  close(code: number, reason: string): void;
}

/** With the time of one look it stays below the two seconds within which a stream ends after its right did. */
const lookEveryMs = 900;
const idsAtOnce = 200;
const doubtMaxMs = 10_000;

/**
 * The streams of this replica. While there is one it looks every second whether each may still be there: the key that
 * asked for it, the desktop and its node, and that the key sees the desktop. It asks the database, so it knows what other replicas did.
 */
export class OpenStreams {
  readonly #parts: { database: Database; clock: Clock; log: Log; ending: AbortSignal };
  readonly #open = new Set<OpenStream>();
  readonly #doubted = new WeakMap<OpenStream, number>();
  #looking = false;

  constructor(parts: { database: Database; clock: Clock; log: Log; ending: AbortSignal }) {
    this.#parts = parts;
    parts.ending.addEventListener('abort', () => {
      for (const stream of this.#open) stream.close(closeCodes.restarting, 'the service restarts');
    });
  }

  get size(): number {
    return this.#open.size;
  }

  add(stream: OpenStream): void {
    this.#open.add(stream);
    this.#follow();
  }

  #follow(): void {
    if (this.#looking || this.#open.size === 0 || this.#parts.ending.aborted) return;
    this.#looking = true;
    void this.#look().finally(() => {
      this.#looking = false;
      // One may have come in the moment after the last look.
      this.#follow();
    });
  }

  remove(stream: OpenStream): void {
    this.#open.delete(stream);
  }

  async #look(): Promise<void> {
    const { clock, log, ending } = this.#parts;
    while (this.#open.size > 0 && !ending.aborted) {
      await clock.sleep(lookEveryMs, ending);
      const byKey = Map.groupBy(this.#open, ({ credential }) => credential.sessionId ?? credential.actorId);
      for (const streams of byKey.values()) {
        try {
          await this.#lookAt(streams);
        } catch (error) {
          log.warn('streams not looked at', { error: describeError(error) });
          this.#doubt(streams);
        }
      }
    }
  }

  /** Whether they may stay cannot be known; for a moment they do, and no longer. */
  #doubt(streams: readonly OpenStream[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const stream of streams) {
      const sinceMs = this.#doubted.get(stream) ?? nowMs;
      this.#doubted.set(stream, sinceMs);
      if (nowMs - sinceMs > doubtMaxMs) stream.close(closeCodes.restarting, 'the database is away');
    }
  }

  async #lookAt(streams: readonly OpenStream[]): Promise<void> {
    const { database, clock } = this.#parts;
    const caller = await stillGood(database, streams[0]!.credential, clock.nowMs());
    const may = (stream: OpenStream) => caller !== undefined && allows(caller.capabilities, stream.capability);
    for (const stream of streams)
      if (!may(stream)) stream.close(closeCodes.revoked, 'the key or session is revoked, or may no more');
    const left = streams.filter(may);
    if (caller === undefined || left.length === 0) return;
    const ids = [...new Set(left.map((stream) => stream.desktopId))];
    const there = new Map<string, string>();
    for (let at = 0; at < ids.length; at += idsAtOnce) {
      for (const view of await listViewsById(database, caller, ids.slice(at, at + idsAtOnce)))
        if (view.desired === 'running') there.set(`${view.id} ${view.assignmentId}`, view.nodeId);
    }
    for (const stream of left) {
      this.#doubted.delete(stream);
      const nodeId = there.get(`${stream.desktopId} ${stream.assignmentId}`);
      if (nodeId === undefined) stream.close(closeCodes.gone, 'the desktop is gone');
      // The node that it left may be off, and not have told its viewers.
      else if (nodeId !== stream.nodeId) stream.close(closeCodes.restarting, 'the desktop moved');
    }
  }
}
