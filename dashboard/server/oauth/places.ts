/** How much may be under way at once: in all, and for one network, so that one cannot take what is there for others. */
export class Places {
  readonly #max: { ofAll: number; ofOne: number };
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(max: { ofAll: number; ofOne: number }) {
    this.#max = max;
  }

  /** @returns what gives the place back, undefined when there is none */
  take(network: string): (() => void) | undefined {
    const taken = this.#taken.get(network) ?? 0;
    if (this.#all >= this.#max.ofAll || taken >= this.#max.ofOne) return undefined;
    this.#all += 1;
    this.#taken.set(network, taken + 1);
    return () => {
      this.#all -= 1;
      const left = this.#taken.get(network)! - 1;
      if (left === 0) this.#taken.delete(network);
      else this.#taken.set(network, left);
    };
  }
}
