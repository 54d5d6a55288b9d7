import { Fault } from '@lebureau/kit/fault';

export interface TurnLimits {
  atOnceMax: number;
  /** Who comes when so many wait is sent away. */
  waitingMax: number;
}

/** Lets a few run at a time, in the order they came, so that something else has room beside them. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** @throws Fault `unavailable` when too many wait */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#running < this.#limits.atOnceMax) this.#running += 1;
    else await this.#turn();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Resolves when somebody who ran hands the place on. */
  #turn(): Promise<void> {
    const { waitingMax } = this.#limits;
    if (this.#waiting.length >= waitingMax)
      throw new Fault('unavailable', 'Too many nodes tell at once what was used.', { retryAfterSeconds: 10 });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
