/** What is asked for is more than the budget has left. */
export class BudgetSpent extends Error {
  constructor() {
    super('the memory that is shared is used up');
    this.name = 'BudgetSpent';
  }
}

/** A bound on bytes that several hold together, and that may be a part of a larger one. */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #whole: ByteBudget | undefined;
  #usedBytes = 0;

  /** @param whole what is taken here is taken there, too */
  constructor(maxBytes: number, whole?: ByteBudget) {
    this.#maxBytes = maxBytes;
    this.#whole = whole;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** @throws BudgetSpent, and then nothing is taken */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.#maxBytes) throw new BudgetSpent();
    this.#whole?.take(bytes);
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#whole?.give(bytes);
  }
}
