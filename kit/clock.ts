/** The one clock. Everything else takes a `Clock`, so that tests own time. */
export interface Clock {
  /** Wall clock, integer milliseconds since 1970, UTC. */
  nowMs(): number;
  /** Never goes back; milliseconds from an arbitrary start, with fractions. For durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** RFC 3339 with milliseconds, UTC. */
export function toRfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
