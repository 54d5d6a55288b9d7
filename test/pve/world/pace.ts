import type { Clock } from '@lebureau/kit/clock';

/** How long things take on the real daemons, in milliseconds of theirs; `pace` below 1 makes all of it shorter. */
export class Pace {
  constructor(
    private readonly clock: Clock,
    readonly factor: number,
  ) {}

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return this.clock.sleep(ms * this.factor, signal);
  }
}
