/** The memory that unfinished messages take; several may share it. */
export interface MessageBudget {
  /** @throws BudgetSpent, and then nothing is taken */
  take(bytes: number): void;
  give(bytes: number): void;
  /** A piece came of a message that is not whole yet; or, with false, nothing of one is kept any more. */
  heard?(isUnfinished: boolean): void;
}

/** How large a message may be that is handed on whole, and what memory several unfinished ones share. */
export interface WholeMessages {
  messageMaxBytes?: number;
  messageBudget?: MessageBudget;
}

const nothing = Buffer.alloc(0);
/** So much of each is not counted: who uses up what is shared keeps nobody from short messages. */
const uncountedBytes = 65_536;

/**
 * One message, gathered of its pieces in one buffer that grows: it takes no more than twice its length, nor more than the
 * limit, however small the pieces are.
 */
export class Gathered {
  readonly #maxBytes: number;
  #bytes: Buffer = nothing;
  #length = 0;
  readonly #budget: MessageBudget | undefined;
  #counted = 0;
  #dropped = false;

  constructor(maxBytes: number, budget?: MessageBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** What it takes now. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** @throws Error when that is more than the limit; BudgetSpent when it is more than what is shared has left */
  add(piece: Uint8Array): void {
    if (this.#dropped) return;
    const length = this.#length + piece.length;
    if (length > this.#maxBytes) throw new Error(`a message of more than ${this.#maxBytes} bytes is refused`);
    if (length > this.#bytes.length) {
      const capacity = Math.max(length, Math.min(2 * this.#length, this.#maxBytes));
      this.#count(capacity);
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
    this.#budget?.heard?.(true);
  }

  /** The message, which is the caller's from now on; the next one begins. */
  take(): Buffer {
    const message = this.#bytes.subarray(0, this.#length);
    [this.#bytes, this.#length] = [nothing, 0];
    this.#count(0);
    this.#budget?.heard?.(false);
    return message;
  }

  /** Nobody waits for it any more, nor for those that follow. */
  drop(): void {
    this.#dropped = true;
    this.take();
  }

  #count(capacity: number): void {
    const counted = Math.max(0, capacity - uncountedBytes);
    if (counted > this.#counted) this.#budget?.take(counted - this.#counted);
    else this.#budget?.give(this.#counted - counted);
    this.#counted = counted;
  }
}
