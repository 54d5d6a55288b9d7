import type { Clock } from '@lebureau/kit/clock';

/** One call whose answer serves everybody who asks within `goodMs` of it. */
export class SharedCall<Value> {
  readonly #ask: () => Promise<Value>;
  readonly #clock: Clock;
  readonly #goodMs: number;
  #last: { value: Value; askedAtMs: number } | undefined;
  #running: Promise<Value> | undefined;
  #next: Promise<Value> | undefined;

  constructor(ask: () => Promise<Value>, clock: Clock, goodMs: number) {
    this.#ask = ask;
    this.#clock = clock;
    this.#goodMs = goodMs;
  }

  async get(): Promise<Value> {
    const last = this.#last;
    if (last !== undefined && this.#clock.monotonicMs() - last.askedAtMs < this.#goodMs) return last.value;
    return this.#running ?? this.#run();
  }

  /** An answer that was asked for after this call: what was done before shows in it. */
  fresh(): Promise<Value> {
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#running ?? this.#run();
      });
    return this.#next;
  }

  #run(): Promise<Value> {
    const askedAtMs = this.#clock.monotonicMs();
    const running = this.#ask().then((value) => {
      this.#last = { value, askedAtMs };
      return value;
    });
    this.#running = running;
    const done = () => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(done, done);
    return running;
  }
}
