import type { Clock } from '@lebureau/kit/clock';

/** A clock that can stop for good: whoever waits on it after a power cut never goes on, so no worker outlives its daemon. */
export class LifeClock implements Clock {
  private dead = false;

  constructor(private readonly clock: Clock) {}

  nowMs(): number {
    return this.clock.nowMs();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.clock.sleep(ms, signal);
    if (this.dead) await new Promise<never>(() => {});
  }

  halt(): void {
    this.dead = true;
  }
}
