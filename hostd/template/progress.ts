import type { Clock } from '@lebureau/kit/clock';

/** One line of progress. `fraction` covers the whole build (or the whole warm-up) and never falls. */
export interface TemplateProgress {
  stage: string;
  fraction: number;
  doneMiB?: number;
  totalMiB?: number;
  secondsLeft?: number;
}

export type ProgressListener = (progress: TemplateProgress) => void;

interface StageShare {
  name: string;
  /** Share of the whole, out of all shares. */
  share: number;
}

const reportEveryMs = 200;

/** Turns "this far in this stage" into a fraction of the whole and the time that is left. */
export class ProgressMeter {
  readonly #stages: readonly StageShare[];
  readonly #clock: Clock;
  readonly #listener: ProgressListener;
  readonly #startedMs: number;
  #index = 0;
  #fraction = 0;
  #reportedMs = Number.NEGATIVE_INFINITY;

  constructor(stages: readonly StageShare[], clock: Clock, listener: ProgressListener) {
    this.#stages = stages;
    this.#clock = clock;
    this.#listener = listener;
    this.#startedMs = clock.monotonicMs();
  }

  enter(stage: string): void {
    this.#index = Math.max(
      this.#index,
      this.#stages.findIndex((each) => each.name === stage),
    );
    this.#reportedMs = Number.NEGATIVE_INFINITY;
    this.tell(0);
  }

  /** @param within how much of the present stage is done, 0 to 1. */
  tell(within: number, sizes: { doneMiB?: number; totalMiB?: number } = {}): void {
    const whole = this.#stages.reduce((sum, each) => sum + each.share, 0);
    const before = this.#stages.slice(0, this.#index).reduce((sum, each) => sum + each.share, 0);
    const stage = this.#stages[this.#index]!;
    const fraction = (before + stage.share * Math.min(1, Math.max(0, within))) / whole;
    this.#fraction = Math.max(this.#fraction, fraction);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#reportedMs < reportEveryMs) return;
    this.#reportedMs = nowMs;
    const elapsedSeconds = (nowMs - this.#startedMs) / 1000;
    const secondsLeft = Math.round((elapsedSeconds * (1 - this.#fraction)) / this.#fraction);
    this.#listener({
      stage: stage.name,
      fraction: Math.round(this.#fraction * 1000) / 1000,
      ...sizes,
      ...(this.#fraction > 0.03 ? { secondsLeft } : {}),
    });
  }
}
