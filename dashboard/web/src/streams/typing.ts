import type { Typed } from './typedBetween.ts';

const nothing: Typed = { erased: 0, written: '' };

/** Sends what is typed in its order, one call at a time; what comes meanwhile goes with the next. */
export class Typing {
  readonly #send: (typed: Typed) => Promise<void>;
  readonly #onFailed: (error: unknown) => void;
  #waiting = nothing;
  #busy = false;

  constructor(send: (typed: Typed) => Promise<void>, onFailed: (error: unknown) => void) {
    this.#send = send;
    this.#onFailed = onFailed;
  }

  add({ erased, written }: Typed): void {
    const before = Array.from(this.#waiting.written);
    const taken = Math.min(before.length, erased);
    this.#waiting = {
      erased: this.#waiting.erased + erased - taken,
      written: before.slice(0, before.length - taken).join('') + written,
    };
    void this.#go();
  }

  async #go(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting.erased > 0 || this.#waiting.written !== '') {
        const now = this.#waiting;
        this.#waiting = nothing;
        await this.#send(now);
      }
    } catch (error) {
      // What follows would stand behind what is missing.
      this.#waiting = nothing;
      this.#onFailed(error);
    } finally {
      this.#busy = false;
    }
  }
}
