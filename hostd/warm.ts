import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';

export interface WarmSize {
  templateId: string;
  vcpus: number;
  memoryMiB: number;
}

export interface WarmerParts {
  /** Makes the warm state of this size; resolves at once where it is there already. */
  warm: (size: WarmSize, signal: AbortSignal) => Promise<unknown>;
  /** Whether something is being created or started now, which comes first. */
  isBusy: () => boolean;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}

const queueMax = 16;
const busyPollMs = 2_000;
/** A size that could not be warmed is not tried again for so long. */
const failureRestMs = 1_800_000;

/**
 * Makes warm states in the background: a size that had to start cold starts warm the next time. One at a time, and never
 * while a desktop is on its way.
 */
export class Warmer {
  private readonly parts: WarmerParts;
  private readonly queue = new Map<string, WarmSize>();
  private readonly failedAtMs = new Map<string, number>();
  private running: Promise<void> | undefined;

  constructor(parts: WarmerParts) {
    this.parts = parts;
  }

  /** A desktop of this size had to start cold. Returns at once. */
  want(size: WarmSize): void {
    const name = nameOf(size);
    const failedAtMs = this.failedAtMs.get(name);
    if (failedAtMs !== undefined && this.parts.clock.monotonicMs() - failedAtMs < failureRestMs) return;
    if (this.queue.size >= queueMax) return;
    this.queue.set(name, size);
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  /** Resolves when nothing is being made any more. */
  async ended(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, signal } = this.parts;
    for (const [name, size] of this.queue) {
      while (this.parts.isBusy() && !signal.aborted) await clock.sleep(busyPollMs, signal);
      if (signal.aborted) return;
      await this.make(name, size);
      this.queue.delete(name);
    }
  }

  private async make(name: string, size: WarmSize): Promise<void> {
    const { clock, log, signal } = this.parts;
    const began = clock.monotonicMs();
    try {
      await this.parts.warm(size, signal);
      log.info('size warmed', { ...size, tookMs: Math.round(clock.monotonicMs() - began) });
    } catch (error) {
      if (signal.aborted) return;
      this.failedAtMs.set(name, clock.monotonicMs());
      log.warn('size could not be warmed', { ...size, error: describeError(error) });
    }
  }
}

function nameOf({ templateId, vcpus, memoryMiB }: WarmSize): string {
  return `${templateId} ${vcpus}x${memoryMiB}`;
}
