import type { Clock } from './clock.ts';
import { describeError } from './fault.ts';
import type { Log } from './log.ts';

export interface LoopOptions {
  name: string;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Pause between two successful rounds. */
  intervalMs: number;
  /** Upper bound of the back-off after failed rounds. */
  backoffMaxMs: number;
}

/** Runs `round` until the signal aborts. A round that throws is logged and tried again after a jittered back-off. */
export async function runLoop(options: LoopOptions, round: () => Promise<void>): Promise<void> {
  let failures = 0;
  while (!options.signal.aborted) {
    try {
      await round();
      failures = 0;
    } catch (error) {
      if (options.signal.aborted) return;
      failures += 1;
      options.log.warn('loop round failed', { loop: options.name, failures, error: describeError(error) });
    }
    const pauseMs = failures === 0 ? options.intervalMs : backoffMs(failures, options.backoffMaxMs);
    await options.clock.sleep(pauseMs, options.signal);
  }
}

/** Full jitter: uniform in (0, min(max, 100 ms · 2^failures)]. */
export function backoffMs(failures: number, maxMs: number): number {
  return Math.max(1, Math.random() * Math.min(maxMs, 100 * 2 ** Math.min(failures, 20)));
}
