import type { MetricsValues } from '../orders.ts';

/** What VMs used in `overMs` until `endedMs` of the monotonic clock. */
export interface Measured {
  endedMs: number;
  overMs: number;
  values: MetricsValues[];
}

export interface BacklogLimits {
  /** Values of all samples together; some 200 bytes each. */
  valuesMax: number;
  /** Of one report. */
  batchValuesMax: number;
  batchSamplesMax: number;
}

const defaultLimits: BacklogLimits = { valuesMax: 60_000, batchValuesMax: 2_000, batchSamplesMax: 200 };

/** Samples that wait to be sent, oldest first. What does not fit pushes out the oldest. */
export class Backlog {
  readonly #limits: BacklogLimits;
  readonly #waiting: Measured[] = [];
  #values = 0;

  constructor(limits: Partial<BacklogLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** @returns how many samples it pushed out */
  push(sample: Measured): number {
    if (sample.values.length === 0) return 0;
    this.#waiting.push(sample);
    this.#values += sample.values.length;
    let lost = 0;
    while (this.#values > this.#limits.valuesMax && this.#waiting.length > 1) {
      this.#values -= this.#waiting.shift()!.values.length;
      lost += 1;
    }
    return lost;
  }

  /** The oldest that fit one report, and at least one. */
  take(): Measured[] {
    const batch: Measured[] = [];
    let values = 0;
    while (this.#waiting.length > 0 && batch.length < this.#limits.batchSamplesMax) {
      values += this.#waiting[0]!.values.length;
      if (batch.length > 0 && values > this.#limits.batchValuesMax) break;
      batch.push(this.#waiting.shift()!);
    }
    this.#values -= batch.reduce((sum, sample) => sum + sample.values.length, 0);
    return batch;
  }
}
