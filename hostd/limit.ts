import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';

/** Given to `abort` it spares the stack trace that a bare one costs, and there are thousands. */
export const settled = 'settled';

/**
 * Waits for `work` no longer than `limitMs`.
 * @throws Fault `code` after that; the work itself may still end later, and whoever calls looks again before acting.
 */
export async function within<Value>(
  work: Promise<Value>,
  limit: { clock: Clock; limitMs: number; code: string; doing: string },
): Promise<Value> {
  const over = new AbortController();
  const tooLate = limit.clock.sleep(limit.limitMs, over.signal).then(() => {
    if (over.signal.aborted) return new Promise<never>(() => {});
    throw new Fault(limit.code, `It took longer than ${limit.limitMs / 1000} s to ${limit.doing}.`);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    work.catch(() => {});
    over.abort(settled);
  }
}

/** Lets at most `max` pieces of work run at once, in the order of asking. */
export class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(max: number) {
    this.free = max;
  }

  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
