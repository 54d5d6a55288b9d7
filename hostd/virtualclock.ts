import type { Clock } from '@lebureau/kit/clock';

/** A clock that stands still until it is moved: tests of hours take milliseconds and are always the same. */
export class VirtualClock implements Clock {
  private atMs = 1_700_000_000_000;
  private order = 0;
  private timers: { dueMs: number; order: number; ring: () => void }[] = [];

  nowMs(): number {
    return this.atMs;
  }

  monotonicMs(): number {
    return this.atMs - 1_700_000_000_000;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = { dueMs: this.atMs + Math.max(0, ms), order: this.order++, ring: () => {} };
      const done = () => {
        this.timers = this.timers.filter((one) => one !== timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      timer.ring = done;
      this.timers.push(timer);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** Lets everything that can go on without time go on. */
  async settle(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Rings the next timer that is due before `untilMs` (monotonic). @returns false when there is none; then it is `untilMs`. */
  async next(untilMs: number): Promise<boolean> {
    await this.settle();
    const first = this.timers.toSorted((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
    const limit = untilMs + 1_700_000_000_000;
    if (first === undefined || first.dueMs > limit) {
      this.atMs = Math.max(this.atMs, limit);
      return false;
    }
    this.atMs = Math.max(this.atMs, first.dueMs);
    first.ring();
    return true;
  }
}
