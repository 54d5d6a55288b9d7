import type { Clock } from '@lebureau/kit/clock';

/** Which ephemeral desktops were used since the last look, and which are in use; kept in memory, written down by a loop. */
export class Usage {
  readonly #clock: Clock;
  readonly #lastMs = new Map<string, number>();
  readonly #inUse = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns what to call at the end of the use */
  begin(desktopId: string): () => void {
    this.#lastMs.set(desktopId, this.#clock.nowMs());
    this.#inUse.set(desktopId, (this.#inUse.get(desktopId) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = this.#inUse.get(desktopId)! - 1;
      if (left === 0) this.#inUse.delete(desktopId);
      else this.#inUse.set(desktopId, left);
      this.#lastMs.set(desktopId, this.#clock.nowMs());
    };
  }

  /** Whether it is in use, or was since the last `take`. */
  isUsed(desktopId: string): boolean {
    return this.#lastMs.has(desktopId) || this.#inUse.has(desktopId);
  }

  /** The desktops whose time to live begins anew. */
  take(): string[] {
    const used = [...new Set([...this.#lastMs.keys(), ...this.#inUse.keys()])];
    this.#lastMs.clear();
    return used;
  }
}
