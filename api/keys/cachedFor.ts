import type { Clock } from '@lebureau/kit/clock';

/** What was revoked stops on every replica within this time. */
const cacheMs = 900;
const cachedMax = 10_000;

export interface Cached<Value> {
  get(name: string): Promise<Value>;
  forget(which: (value: Value) => boolean): void;
}

/** Remembers what was read for less than a second. */
export function cachedFor<Value>(clock: Clock, read: (name: string) => Promise<Value>): Cached<Value> {
  const cache = new Map<string, { value: Value; untilMs: number }>();
  return {
    async get(name) {
      const nowMs = clock.monotonicMs();
      const cached = cache.get(name);
      if (cached !== undefined && cached.untilMs > nowMs) return cached.value;
      const value = await read(name);
      if (cache.size >= cachedMax) cache.clear();
      cache.set(name, { value, untilMs: nowMs + cacheMs });
      return value;
    },
    forget(which) {
      for (const [name, { value }] of cache) if (which(value)) cache.delete(name);
    },
  };
}
