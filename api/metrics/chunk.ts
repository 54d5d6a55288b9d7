import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Point, coveredMs, emptyPoint, measures, msAt, peakAt, valueAt } from './point.ts';

/**
 * Points of one desktop that stand beside each other, as the bytes that are kept: a version, the length of a step and the
 * number of points, then column by column, so that what changes little lies together; numbers in groups of seven bits, and all of it deflated.
 */
export type Chunk = (Point | undefined)[];

const version = 1;
/** A step that was covered but for so little was covered: clocks and messages are that uneven. */
const unevenShare = 0.01;
const absent = 0;
const full = 1;

/** @param stepMs the length of the step of each point. */
export function packChunk(chunk: Chunk, stepMs: number): Uint8Array {
  const out = new Digits();
  out.put(stepMs);
  out.put(chunk.length);
  const all = chunk.map((point) => (point === undefined || coveredMs(point) === 0 ? undefined : evened(point, stepMs)));
  const points = all.filter((point) => point !== undefined);
  for (const point of all) out.put(coverOf(point, stepMs));
  for (const [at, { kind, peak }] of measures.entries()) {
    for (const point of points) out.putSigned(coveredMs(point) - point[msAt(at)]!);
    const known = points.filter((point) => point[msAt(at)]! > 0);
    let last = 0;
    for (const point of known) {
      const value = point[valueAt(at)]!;
      if (kind === 'sum') out.put(value);
      else out.putSigned(value - last);
      last = value;
    }
    if (peak) for (const point of known) out.putSigned(point[peakAt(at)]! - expectedPeak(point, at));
  }
  const body = deflateRawSync(out.bytes());
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = version;
  bytes.set(body, 1);
  return bytes;
}

function coverOf(point: Point | undefined, stepMs: number): number {
  if (point === undefined) return absent;
  return coveredMs(point) === stepMs ? full : coveredMs(point) + full;
}

/** The point with its times as they are kept; a measure that was known for less than what is evened out is not known. */
function evened(point: Point, stepMs: number): Point {
  const byMs = stepMs - coveredMs(point);
  if (byMs === 0 || Math.abs(byMs) > stepMs * unevenShare) return point;
  const kept = [...point];
  kept[0] = stepMs;
  for (const at of measures.keys()) {
    const ms = point[msAt(at)]! === 0 ? 0 : Math.max(0, point[msAt(at)]! + byMs);
    kept[msAt(at)] = ms;
    if (ms === 0) kept[valueAt(at)] = kept[peakAt(at)] = 0;
  }
  return kept;
}

/** @returns nothing of a chunk that a newer version wrote */
export function unpackChunk(bytes: Uint8Array): Chunk {
  if (bytes[0] !== version) return [];
  const read = new DigitReader(inflateRawSync(bytes.subarray(1)));
  const stepMs = read.take();
  const chunk: Chunk = Array.from({ length: read.take() }, () => undefined);
  const points: Point[] = [];
  for (const at of chunk.keys()) {
    const cover = read.take();
    if (cover === absent) continue;
    const point = emptyPoint();
    point[0] = cover === full ? stepMs : cover - full;
    points.push((chunk[at] = point));
  }
  for (const [at, { kind, peak }] of measures.entries()) {
    for (const point of points) point[msAt(at)] = coveredMs(point) - read.takeSigned();
    const known = points.filter((point) => point[msAt(at)]! > 0);
    let last = 0;
    for (const point of known) last = point[valueAt(at)] = kind === 'sum' ? read.take() : last + read.takeSigned();
    if (peak) for (const point of known) point[peakAt(at)] = expectedPeak(point, at) + read.takeSigned();
  }
  return chunk;
}

/** What the peak is when the step holds one sample. */
function expectedPeak(point: Point, measure: number): number {
  const value = point[valueAt(measure)]!;
  return measures[measure]!.kind === 'sum' ? Math.round((value / point[msAt(measure)]!) * 1000) : value;
}

/** Whole numbers, seven bits a byte, the lowest first. */
class Digits {
  readonly #bytes: number[] = [];

  put(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.#bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes.push(rest);
  }

  putSigned(value: number): void {
    this.put(value < 0 ? -value * 2 - 1 : value * 2);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

class DigitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const digit = this.#bytes[this.#at++] ?? 0;
      value += (digit % 128) * factor;
      if (digit < 128) return value;
    }
  }

  takeSigned(): number {
    const value = this.take();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
}
