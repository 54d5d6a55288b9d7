/**
 * What was measured of one desktop in one step of time. Everything in it can be added, so that coarser steps are made of
 * finer ones and say the same. Each measure has its own share of the time: what was not known leaves a hole, not a zero.
 *
 * Numbers in one array, since there are a hundred of them a second: time covered, then time, value and peak of each
 * measure. All are integers.
 */
export type Point = number[];

/**
 * In the order in which they are kept. `sum`: what happened, added up (milliseconds of processor time, bytes).
 * `level`: what there is, as the mean over its time, in so many KiB (`grain`) as make a difference to anybody.
 * `peak`: the highest that one sample told is kept, too.
 */
export const measures = [
  { name: 'cpuMs', kind: 'sum', grain: 1, peak: true },
  { name: 'memoryUsedKiB', kind: 'level', grain: 64, peak: true },
  { name: 'memoryHostKiB', kind: 'level', grain: 64, peak: false },
  { name: 'diskUsedKiB', kind: 'level', grain: 64, peak: false },
  { name: 'diskReadBytes', kind: 'sum', grain: 1, peak: false },
  { name: 'diskWrittenBytes', kind: 'sum', grain: 1, peak: false },
  { name: 'networkReceivedBytes', kind: 'sum', grain: 1, peak: false },
  { name: 'networkSentBytes', kind: 'sum', grain: 1, peak: false },
] as const;

export type MeasureName = (typeof measures)[number]['name'];
export type Values = Partial<Record<MeasureName, number>>;

const covered = 0;
export const msAt = (measure: number) => 1 + 3 * measure;
export const valueAt = (measure: number) => 2 + 3 * measure;
/** Of a level as it is, of a sum a second; 0 where none is kept. */
export const peakAt = (measure: number) => 3 + 3 * measure;
export const pointLength = 1 + 3 * measures.length;

export function emptyPoint(): Point {
  return Array.from({ length: pointLength }, () => 0);
}

export function coveredMs(point: Point): number {
  return point[covered]!;
}

export function addPoint(into: Point, from: Point): void {
  into[covered]! += from[covered]!;
  for (const [at, { kind }] of measures.entries()) {
    const ms = from[msAt(at)]!;
    if (ms === 0) continue;
    const before = into[msAt(at)]!;
    const [old, value] = [into[valueAt(at)]!, from[valueAt(at)]!];
    into[msAt(at)] = before + ms;
    into[valueAt(at)] = kind === 'sum' ? old + value : Math.round((old * before + value * ms) / (before + ms));
    into[peakAt(at)] = Math.max(into[peakAt(at)]!, from[peakAt(at)]!);
  }
}

export interface Sample {
  /** When it ended, and how much time it is about. */
  atMs: number;
  overMs: number;
  values: Values;
}

/** Lays a sample over the steps that it touches, by number of step; what happened is shared out and nothing of it lost. */
export function spread({ atMs, overMs, values }: Sample, stepMs: number): [step: number, point: Point][] {
  const beganMs = atMs - overMs;
  const parts: [number, Point][] = [];
  for (let step = Math.floor(beganMs / stepMs); step * stepMs < atMs; step++) {
    const from = Math.max(0, step * stepMs - beganMs);
    const to = Math.min(overMs, (step + 1) * stepMs - beganMs);
    const point = emptyPoint();
    point[covered] = to - from;
    for (const [at, { name, kind, grain, peak }] of measures.entries()) {
      const told = values[name];
      if (told === undefined) continue;
      const value = Math.round(told / grain);
      const upTo = (ms: number) => Math.floor(value * (ms / overMs));
      point[msAt(at)] = to - from;
      point[valueAt(at)] = kind === 'sum' ? upTo(to) - upTo(from) : value;
      if (peak) point[peakAt(at)] = kind === 'sum' ? Math.round((value / overMs) * 1000) : value;
    }
    parts.push([step, point]);
  }
  return parts;
}

/** Mean a second of what happened, or mean level in KiB; undefined where it was not known. */
export function meanOf(point: Point, measure: number): number | undefined {
  const ms = point[msAt(measure)]!;
  if (ms === 0) return undefined;
  const { kind, grain } = measures[measure]!;
  const value = point[valueAt(measure)]! * grain;
  return kind === 'sum' ? (value / ms) * 1000 : value;
}

/** The highest of it, where that is kept and anything was known. A short part of a sample is rounded up: the mean may be higher. */
export function peakOf(point: Point, measure: number): number | undefined {
  const mean = meanOf(point, measure);
  return mean === undefined ? undefined : Math.max(mean, point[peakAt(measure)]! * measures[measure]!.grain);
}
