import type { Clock } from '@lebureau/kit/clock';

/** Sooner than a second: what ended in the API stops here in time. */
const rememberedMs = 900;
const rememberedMax = 10_000;

/** Answers of the API by name, each asked for at most about once a second. */
export class Remembered<Answer> {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #known = new Map<string, { answer: Answer; untilMs: number }>();

  constructor(clock: Clock, max = rememberedMax) {
    this.#clock = clock;
    this.#max = max;
  }

  async get(name: string, ask: () => Promise<Answer>): Promise<Answer> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(name);
    if (known !== undefined && known.untilMs > nowMs) return known.answer;
    const answer = await ask();
    if (this.#known.size >= this.#max) this.#known.clear();
    this.#known.set(name, { answer, untilMs: nowMs + rememberedMs });
    return answer;
  }

  forget(name: string): void {
    this.#known.delete(name);
  }
}
