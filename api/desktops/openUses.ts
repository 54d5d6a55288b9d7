import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { closeCodes } from '@lebureau/kit/streamEnd';
import type { Database } from '../db/database.ts';
import { allows, type Capability } from '../keys/capabilities.ts';
import { type Credential, stillGood } from '../keys/stillGood.ts';
import { listViewsById } from './store.ts';
import type { DesktopView } from './view.ts';

/** What somebody has open into a desktop: a stream, or a call that takes a while. */
export interface OpenUse {
  credential: Credential;
  /** Without it the use ends. */
  capability: Capability;
  desktopId: string;
  /** A stream ends with the machine that it leads to; a call that machine answers itself, as long as it can. */
  machine?: { assignmentId: string; nodeId: string };
  /** @param code how a stream is closed */
  close(code: number, reason: string): void;
}

/** Twice this after it began, and after each look, a use is looked at: with the time of one look it stays below two seconds. */
const tickMs = 450;
/** Less than two ticks, by what a timer may be early: what is over sooner costs no question. */
const dueMs = 850;
const idsAtOnce = 200;
const doubtMaxMs = 10_000;
const lookLimitMs = 2_000;
const credentialsAtOnce = 8;

/**
 * What is open into desktops by this replica. While there is something it looks about every second whether each may still be
 * there: what somebody came with, the desktop and its node, and that they see the desktop. It asks the database, so it
 * knows what other replicas did.
 */
export class OpenUses {
  readonly #parts: { database: Pick<Database, 'read' | 'select'>; clock: Clock; log: Log; ending?: AbortSignal };
  /** With when each began, or was looked at last. */
  readonly #open = new Map<OpenUse, number>();
  readonly #doubted = new WeakMap<OpenUse, number>();
  #looking = false;

  /** @param parts `ending` closes all and ends the looking; without it uses come to their end as they can. */
  constructor(parts: { database: Pick<Database, 'read' | 'select'>; clock: Clock; log: Log; ending?: AbortSignal }) {
    this.#parts = parts;
    parts.ending?.addEventListener('abort', () => {
      for (const use of this.#open.keys()) use.close(closeCodes.restarting, 'the service restarts');
    });
  }

  get size(): number {
    return this.#open.size;
  }

  add(use: OpenUse): void {
    this.#open.set(use, this.#parts.clock.monotonicMs());
    this.#follow();
  }

  remove(use: OpenUse): void {
    this.#open.delete(use);
  }

  #follow(): void {
    if (this.#looking || this.#open.size === 0 || this.#parts.ending?.aborted) return;
    this.#looking = true;
    void this.#look().finally(() => {
      this.#looking = false;
      // One may have come in the moment after the last look.
      this.#follow();
    });
  }

  async #look(): Promise<void> {
    const { clock, ending } = this.#parts;
    while (this.#open.size > 0 && !ending?.aborted) {
      await clock.sleep(tickMs, ending);
      const due = [...this.#due(clock.monotonicMs())];
      for (let at = 0; at < due.length; at += credentialsAtOnce) {
        const known = await Promise.all(due.slice(at, at + credentialsAtOnce).map((uses) => this.#lookWithin(uses)));
        if (!known.includes(false)) continue;
        // Asking for each of many would take longer than any of them may stay.
        this.#doubt(due.slice(at + credentialsAtOnce).flat());
        break;
      }
    }
  }

  /** @returns whether it could be known in time */
  async #lookWithin(uses: readonly OpenUse[]): Promise<boolean> {
    const { clock, log } = this.#parts;
    const looked = new AbortController();
    const late = clock.sleep(lookLimitMs, looked.signal).then(() => {
      if (!looked.signal.aborted) throw new Error(`no answer within ${lookLimitMs} ms`);
    });
    try {
      await Promise.race([this.#lookAt(uses), late]);
      return true;
    } catch (error) {
      log.warn('open uses not looked at', { error: describeError(error) });
      this.#doubt(uses);
      return false;
    } finally {
      looked.abort();
    }
  }

  /** Those to be looked at now, by what they came with. */
  #due(nowMs: number): Iterable<OpenUse[]> {
    const due = [...this.#open].filter(([, sinceMs]) => nowMs - sinceMs >= dueMs).map(([use]) => use);
    for (const use of due) this.#open.set(use, nowMs);
    return Map.groupBy(due, ({ credential }) => credential.sessionId ?? credential.actorId).values();
  }

  /** Whether they may stay cannot be known; for a moment they do, and no longer. */
  #doubt(uses: readonly OpenUse[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const use of uses) {
      const sinceMs = this.#doubted.get(use) ?? nowMs;
      this.#doubted.set(use, sinceMs);
      if (nowMs - sinceMs > doubtMaxMs) use.close(closeCodes.restarting, 'the database is away');
    }
  }

  async #lookAt(uses: readonly OpenUse[]): Promise<void> {
    const { database, clock } = this.#parts;
    const caller = await stillGood(database, uses[0]!.credential, clock.nowMs());
    const may = (use: OpenUse) => caller !== undefined && allows(caller.capabilities, use.capability);
    for (const use of uses)
      if (!may(use)) use.close(closeCodes.revoked, 'the key or session is revoked, or may no more');
    const left = uses.filter(may);
    if (caller === undefined || left.length === 0) return;
    const ids = [...new Set(left.map((use) => use.desktopId))];
    const seen = new Map<string, DesktopView>();
    for (let at = 0; at < ids.length; at += idsAtOnce)
      for (const view of await listViewsById(database, caller, ids.slice(at, at + idsAtOnce))) seen.set(view.id, view);
    for (const use of left) {
      this.#doubted.delete(use);
      const view = seen.get(use.desktopId);
      if (view === undefined || isOff(use, view)) use.close(closeCodes.gone, 'the desktop is gone');
      // The node that it left may be off, and not have told its viewers.
      else if (use.machine !== undefined && view.nodeId !== use.machine.nodeId)
        use.close(closeCodes.restarting, 'the desktop moved');
    }
  }
}

function isOff({ machine }: OpenUse, view: DesktopView): boolean {
  return machine !== undefined && (view.desired !== 'running' || view.assignmentId !== machine.assignmentId);
}
