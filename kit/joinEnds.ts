import type { Clock } from './clock.ts';
import { closeCodes, type EndListener, type StreamEnd } from './streamEnd.ts';

export interface JoinOptions {
  clock: Clock;
  /** A viewer that takes nothing for so long is closed. */
  stallLimitMs: number;
  /** What is viewed is closed after so long without taking anything; where none is given it may take its time. */
  heldLimitMs?: number;
}

/**
 * Joins a viewer with what it views until one of them is over; then the other is closed with the same code. Each is read
 * only as fast as the other takes it. A viewer that stalls is closed after a limit; what is viewed may take its time,
 * since that holds nothing but the viewer. Where the viewer cannot be seen to go away while nobody reads it, that has a
 * limit, too.
 */
export function joinEnds(viewer: StreamEnd, viewed: StreamEnd, options: JoinOptions): void {
  const { clock, stallLimitMs, heldLimitMs } = options;
  const ends: Ends = { viewer, viewed, stalls: [] };
  const stall = new Stall(ends, { waits: viewed, clock, limitMs: stallLimitMs });
  const hold = new Stall(ends, { waits: viewer, clock, limitMs: heldLimitMs });
  ends.stalls.push(stall, hold);
  viewer.listen(new FromViewer(ends, stall, hold));
  viewed.listen(new FromViewed(ends, stall, hold));
}

// Classes and no closures: each idle stream keeps what stands here, three times over.

interface Ends {
  readonly viewer: StreamEnd;
  readonly viewed: StreamEnd;
  readonly stalls: Stall[];
}

/** How long one of them has taken nothing, while the other waits. */
class Stall {
  readonly #ends: Ends;
  readonly #of: { waits: StreamEnd; clock: Clock; limitMs: number | undefined };
  #waiting: AbortController | undefined;
  #isOver = false;

  constructor(ends: Ends, of: { waits: StreamEnd; clock: Clock; limitMs: number | undefined }) {
    this.#ends = ends;
    this.#of = of;
  }

  begin(): void {
    const { waits, clock, limitMs } = this.#of;
    waits.pause();
    // One that was closed by that very write is waited for by nobody.
    if (limitMs === undefined || this.#isOver || this.#waiting !== undefined) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void clock.sleep(limitMs, waiting.signal).then(() => {
      if (waiting.signal.aborted) return;
      const { viewer, viewed, stalls } = this.#ends;
      // Whoever closes an end hears no more of it.
      for (const each of stalls) each.over();
      viewed.close(closeCodes.stalled, 'stalled');
      viewer.close(closeCodes.stalled, 'stalled');
    });
  }

  /** It took something. */
  end(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
    this.#of.waits.resume();
  }

  over(): void {
    this.#isOver = true;
    this.#waiting?.abort();
  }
}

abstract class Side {
  protected readonly ends: Ends;
  protected readonly stall: Stall;
  protected readonly hold: Stall;

  constructor(ends: Ends, stall: Stall, hold: Stall) {
    this.ends = ends;
    this.stall = stall;
    this.hold = hold;
  }

  protected over(): void {
    for (const each of this.ends.stalls) each.over();
  }
}

class FromViewer extends Side implements EndListener {
  bytes(piece: Uint8Array): void {
    if (!this.ends.viewed.send(piece)) this.hold.begin();
  }

  text(text: string): void {
    if (!this.ends.viewed.sendText(text)) this.hold.begin();
  }

  drained(): void {
    this.stall.end();
  }

  closed(code: number, reason: string): void {
    this.over();
    this.ends.viewed.close(code, reason);
  }
}

class FromViewed extends Side implements EndListener {
  bytes(piece: Uint8Array): void {
    if (!this.ends.viewer.send(piece)) this.stall.begin();
  }

  text(text: string): void {
    if (!this.ends.viewer.sendText(text)) this.stall.begin();
  }

  drained(): void {
    this.hold.end();
  }

  closed(code: number, reason: string): void {
    this.over();
    this.ends.viewer.close(code, reason);
  }
}
