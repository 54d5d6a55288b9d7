import type { Clock } from './clock.ts';
import { closeCodes, type EndListener, type StreamEnd } from './streamEnd.ts';

export interface JoinOptions {
  clock: Clock;
  /** An end of the first kind that takes nothing for so long is closed. */
  stallLimitMs: number;
}

/**
 * Joins a viewer with what it views until one of them is over; then the other is closed with the same code. Each is read
 * only as fast as the other takes it. A viewer that stalls is closed after a limit; what is viewed may take its time,
 * since that holds nothing but the viewer.
 */
export function joinEnds(viewer: StreamEnd, viewed: StreamEnd, options: JoinOptions): void {
  const stall = new Stall(viewer, viewed, options);
  viewer.listen(new FromViewer(viewer, viewed, stall));
  viewed.listen(new FromViewed(viewer, viewed, stall));
}

// Classes and no closures: each idle stream keeps what stands here, three times over.

/** How long the viewer has taken nothing. */
class Stall {
  readonly #viewer: StreamEnd;
  readonly #viewed: StreamEnd;
  readonly #options: JoinOptions;
  #waiting: AbortController | undefined;
  #isOver = false;

  constructor(viewer: StreamEnd, viewed: StreamEnd, options: JoinOptions) {
    this.#viewer = viewer;
    this.#viewed = viewed;
    this.#options = options;
  }

  begin(): void {
    this.#viewed.pause();
    // One that was closed by that very write is waited for by nobody.
    if (this.#isOver || this.#waiting !== undefined) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#options.clock.sleep(this.#options.stallLimitMs, waiting.signal).then(() => {
      if (waiting.signal.aborted) return;
      this.#viewed.close(closeCodes.stalled, 'stalled');
      this.#viewer.close(closeCodes.stalled, 'stalled');
    });
  }

  end(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
  }

  over(): void {
    this.#isOver = true;
    this.end();
  }
}

abstract class Side {
  protected readonly viewer: StreamEnd;
  protected readonly viewed: StreamEnd;
  protected readonly stall: Stall;

  constructor(viewer: StreamEnd, viewed: StreamEnd, stall: Stall) {
    this.viewer = viewer;
    this.viewed = viewed;
    this.stall = stall;
  }
}

class FromViewer extends Side implements EndListener {
  bytes(piece: Uint8Array): void {
    if (!this.viewed.send(piece)) this.viewer.pause();
  }

  text(text: string): void {
    if (!this.viewed.sendText(text)) this.viewer.pause();
  }

  drained(): void {
    this.stall.end();
    this.viewed.resume();
  }

  closed(code: number, reason: string): void {
    this.stall.over();
    this.viewed.close(code, reason);
  }
}

class FromViewed extends Side implements EndListener {
  bytes(piece: Uint8Array): void {
    if (!this.viewer.send(piece)) this.stall.begin();
  }

  text(text: string): void {
    if (!this.viewer.sendText(text)) this.stall.begin();
  }

  drained(): void {
    this.viewer.resume();
  }

  closed(code: number, reason: string): void {
    this.stall.over();
    this.viewer.close(code, reason);
  }
}
