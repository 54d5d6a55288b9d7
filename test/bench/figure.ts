import { performance } from 'node:perf_hooks';

/** One measured figure beside what the project wants to reach. */
export interface Figure {
  what: string;
  unit:
    | 'ms'
    | 's'
    | 'kB'
    | 'MB'
    | 'MiB'
    | 'KiB'
    | 'MB/s'
    | 'MiB/s'
    | '%'
    | 'ratio'
    | 'cores'
    | '% of a core'
    | 'desktops'
    | 'streams'
    | 'MB/day';
  value: number;
  /** `<=` or `>=` and the number. */
  reach: { at: '<=' | '>='; value: number };
  met: boolean;
  /** What it is made of, single readings, what it was compared with. */
  detail: Record<string, unknown>;
}

export function figure(
  what: string,
  unit: Figure['unit'],
  reading: { value: number; at: '<=' | '>='; reach: number; detail?: Record<string, unknown> },
): Figure {
  const value = Math.round(reading.value * 1000) / 1000;
  const met = reading.at === '<=' ? value <= reading.reach : value >= reading.reach;
  return { what, unit, value, reach: { at: reading.at, value: reading.reach }, met, detail: reading.detail ?? {} };
}

/** @returns the `share` quantile (nearest rank) of the readings. */
export function quantile(readings: readonly number[], share: number): number {
  const sorted = readings.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export function summary(readings: readonly number[]): Record<string, number> {
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    n: readings.length,
    min: round(Math.min(...readings)),
    p50: round(quantile(readings, 0.5)),
    p95: round(quantile(readings, 0.95)),
    p99: round(quantile(readings, 0.99)),
    max: round(Math.max(...readings)),
  };
}

/** Wall time of each of `times` rounds, milliseconds. */
export async function timeEach(times: number, round: (at: number) => Promise<unknown>): Promise<number[]> {
  const readings: number[] = [];
  for (let at = 0; at < times; at++) {
    const beganMs = performance.now();
    await round(at);
    readings.push(performance.now() - beganMs);
  }
  return readings;
}
