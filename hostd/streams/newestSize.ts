import type { Clock } from '@lebureau/kit/clock';

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface NewestSizeParts {
  /** Tells the guest. Must not throw. */
  tell: (size: TerminalSize) => void;
  /** Whether all that was told before has left. */
  isOut: () => boolean;
  clock: Clock;
}

/** No program draws anew more often than a person sees. */
const pauseMs = 25;

/**
 * Tells a guest the size of a terminal, one after the other: the next one when the one before is out, and then the newest
 * alone. However many come, one waits here.
 */
export class NewestSize {
  readonly #parts: NewestSizeParts;
  readonly #over = new AbortController();
  #wanted: TerminalSize | undefined;
  #telling = false;

  constructor(parts: NewestSizeParts) {
    this.#parts = parts;
  }

  set(size: TerminalSize): void {
    this.#wanted = size;
    if (this.#telling || this.#over.signal.aborted) return;
    this.#telling = true;
    void this.#tell();
  }

  /** Nobody is to be told any more. */
  end(): void {
    this.#over.abort();
  }

  async #tell(): Promise<void> {
    const { tell, isOut, clock } = this.#parts;
    while (this.#wanted !== undefined && !this.#over.signal.aborted) {
      if (isOut()) {
        const size = this.#wanted;
        this.#wanted = undefined;
        tell(size);
      }
      await clock.sleep(pauseMs, this.#over.signal);
    }
    this.#telling = false;
  }
}
