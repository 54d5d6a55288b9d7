import type { Clock } from '@lebureau/kit/clock';

/** One call whose answer serves everybody who asks within `goodMs` of it. */
export class SharedCall<Value> {
  readonly #ask: () => Promise<Value>;
  readonly #clock: Clock;
  readonly #goodMs: number;
  #last: { value: Value; askedAtMs: number } | undefined;
  #running: Promise<Value> | undefined;
  #next: Promise<Value> | undefined;
  #isRunningOld = false;

  constructor(ask: () => Promise<Value>, clock: Clock, goodMs: number) {
    this.#ask = ask;
    this.#clock = clock;
    this.#goodMs = goodMs;
  }

  async get(): Promise<Value> {
    const last = this.#last;
    if (last !== undefined && this.#clock.monotonicMs() - last.askedAtMs < this.#goodMs) return last.value;
    if (this.#isRunningOld) return this.fresh();
    return this.#running ?? this.#run();
  }

  /** What was asked so far says too little from now on. */
  outdate(): void {
    this.#last = undefined;
    this.#isRunningOld = this.#running !== undefined;
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
      if (!this.#isRunningOld) this.#last = { value, askedAtMs };
      return value;
    });
    this.#running = running;
    this.#isRunningOld = false;
    const done = () => {
      if (this.#running !== running) return;
      this.#running = undefined;
      this.#isRunningOld = false;
    };
    running.then(done, done);
    return running;
  }
}
