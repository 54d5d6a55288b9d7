import type { Clock } from '@lebureau/kit/clock';

interface Timer {
  dueMs: number;
  order: number;
  ring: () => void;
}

/** A clock that goes to the next thing that is due: minutes of the recordings take moments. */
export class FastClock implements Clock {
  private timers: Timer[] = [];
  private order = 0;

  constructor(private atMs: number) {}

  nowMs(): number {
    return this.atMs;
  }

  monotonicMs(): number {
    return this.atMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer: Timer = { dueMs: this.atMs + Math.max(0, ms), order: this.order++, ring: () => {} };
      timer.ring = () => {
        this.timers = this.timers.filter((one) => one !== timer);
        signal?.removeEventListener('abort', timer.ring);
        resolve();
      };
      this.timers.push(timer);
      signal?.addEventListener('abort', timer.ring, { once: true });
    });
  }

  /** Lets what can go on without time go on, then rings the next timer due before `limitMs`. */
  async step(limitMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    await this.settle();
    const next = this.timers.toSorted((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
    if (next === undefined || next.dueMs > limitMs) return false;
    this.atMs = Math.max(this.atMs, next.dueMs);
    next.ring();
    return true;
  }

  /** A few turns of the event loop: long enough for a chain of promises to come to where it waits for time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async until(ms: number): Promise<void> {
    while (await this.step(ms));
    this.atMs = Math.max(this.atMs, ms);
  }
}
