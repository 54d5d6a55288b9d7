import type { ByteBudget } from '@lebureau/kit/byteBudget';
import type { Clock } from '@lebureau/kit/clock';
import type { MessageBudget } from '@lebureau/kit/gathered';
import { closeCodes, type EndListener, type StreamEnd } from '@lebureau/kit/streamEnd';

/**
 * Messages of one WebSocket of a guest, in a share of memory. A message of which nothing more comes keeps its share for so
 * long and no longer: then the socket is closed. While nobody reads the guest, it cannot say more.
 */
export class MessagesInTime implements MessageBudget {
  readonly #share: ByteBudget;
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #over = new AbortController();
  #late: (() => void) | undefined;
  #isUnfinished = false;
  #isPaused = false;
  #isWatched = false;
  #heardMs = 0;

  constructor(share: ByteBudget, { clock, limitMs }: { clock: Clock; limitMs: number }) {
    this.#share = share;
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  take(bytes: number): void {
    this.#share.take(bytes);
  }

  give(bytes: number): void {
    this.#share.give(bytes);
  }

  heard(isUnfinished: boolean): void {
    this.#isUnfinished = isUnfinished;
    this.#heardMs = this.#clock.monotonicMs();
    if (isUnfinished && !this.#isWatched) void this.#watch();
  }

  /** @param end whose messages these are. @returns the same end, to be used in its place */
  of(end: StreamEnd): StreamEnd {
    return {
      listen: (listener) => this.#listen(end, listener),
      send: (piece) => end.send(piece),
      sendText: (text) => end.sendText(text),
      pause: () => {
        this.#isPaused = true;
        end.pause();
      },
      resume: () => {
        this.#isPaused = false;
        this.#heardMs = this.#clock.monotonicMs();
        end.resume();
      },
      close: (code, reason) => {
        this.#over.abort();
        end.close(code, reason);
      },
    };
  }

  #listen(end: StreamEnd, listener: EndListener): void {
    this.#late = () => {
      const reason = 'a message that does not end';
      end.close(closeCodes.crowded, reason);
      listener.closed(closeCodes.crowded, reason);
    };
    end.listen({
      bytes: (piece) => listener.bytes(piece),
      text: (text) => listener.text(text),
      drained: () => listener.drained(),
      closed: (code, reason) => {
        this.#over.abort();
        listener.closed(code, reason);
      },
    });
  }

  /** One timer a socket, however many messages come: it looks again when the newest one could be late. */
  async #watch(): Promise<void> {
    this.#isWatched = true;
    const { signal } = this.#over;
    while (this.#isUnfinished && !signal.aborted) {
      const silentMs = this.#isPaused ? 0 : this.#clock.monotonicMs() - this.#heardMs;
      if (silentMs >= this.#limitMs) {
        this.#over.abort();
        return this.#late?.();
      }
      await this.#clock.sleep(this.#limitMs - silentMs, signal);
    }
    this.#isWatched = false;
  }
}
