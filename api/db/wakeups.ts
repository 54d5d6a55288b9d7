/** Those who wait in this process, by topic. */
export class Wakeups {
  readonly #waiting = new Map<string, Set<() => void>>();

  wake(topic: string): void {
    const waiting = this.#waiting.get(topic);
    if (waiting === undefined) return;
    this.#waiting.delete(topic);
    for (const resume of waiting) resume();
  }

  /** After a gap in what was heard from elsewhere, everyone looks again. */
  wakeAll(): void {
    for (const topic of [...this.#waiting.keys()]) this.wake(topic);
  }

  /** Begins to wait before the caller looks, so that nothing in between is missed. */
  waitFor(topic: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<boolean> {
    const { timeoutMs, signal } = options;
    if (signal?.aborted || timeoutMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(topic) ?? new Set();
      const end = (woken: boolean) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        waiting.delete(resume);
        if (waiting.size === 0 && this.#waiting.get(topic) === waiting) this.#waiting.delete(topic);
        resolve(woken);
      };
      const resume = () => end(true);
      const abort = () => end(false);
      const timer = setTimeout(() => end(false), timeoutMs);
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.set(topic, waiting.add(resume));
    });
  }
}
