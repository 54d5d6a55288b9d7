import { toRfc3339 } from '@lebureau/kit/clock';
import { getDesktop } from '../desktops/operations.ts';
import type { Scope } from '../desktops/store.ts';
import type { DesktopView } from '../desktops/view.ts';
import type { Static } from '../http/schema.ts';
import { invalid } from '../http/validate.ts';
import type { Services } from '../services.ts';
import { unpackChunk } from './chunk.ts';
import { unpackReport } from './journal.ts';
import {
  type MeasureName,
  type Point,
  addPoint,
  coveredMs,
  emptyPoint,
  meanOf,
  measures,
  peakOf,
  spread,
} from './point.ts';
import { type DesktopMetrics, type MetricsPoint, type MetricsQuery, pointsMax } from './schema.ts';
import { chunksBetween, reportsWith } from './store.ts';
import { type Tier, chunkSecondsOf, finestMs, tiers } from './tiers.ts';

interface Span {
  fromMs: number;
  toMs: number;
  stepMs: number;
  tier: Tier;
}

const rangeDefaultMs = 3_600_000;
const pointsDefault = 360;
const steps = [10, 30, 60, 120, 240, 600, 1200, 3600, 10_800, 21_600, 43_200, 86_400];
/** Who asks for exactly the last hour, by another clock, still gets the finest. */
const slackMs = 300_000;

/** @throws Fault `not_found` for a desktop that is not this caller's; `invalid_request` */
export async function readMetrics(
  services: Services,
  scope: Scope,
  wish: { desktopId: string; query: Static<typeof MetricsQuery> },
): Promise<Static<typeof DesktopMetrics>> {
  const view = await getDesktop(services, scope, wish.desktopId);
  const span = spanOf(wish.query, services.clock.nowMs());
  const found = await pointsOf(services, view, span);
  const points: Static<typeof MetricsPoint>[] = [];
  for (let atMs = span.fromMs; atMs < span.toMs; atMs += span.stepMs) points.push(toWire(atMs, found.get(atMs)));
  return { from: toRfc3339(span.fromMs), to: toRfc3339(span.toMs), stepSeconds: span.stepMs / 1000, points };
}

/** Pure. @throws Fault `invalid_request` */
export function spanOf(query: Static<typeof MetricsQuery>, nowMs: number): Span {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - rangeDefaultMs : Date.parse(query.from);
  if (fromMs >= toMs) throw wrong('from', 'too_large', 'must be before `to`');
  const ageMs = nowMs - fromMs - slackMs;
  const tier = tiers.find((one) => ageMs <= one.keptSeconds * 1000) ?? tiers.at(-1)!;
  const wanted = query.stepSeconds ?? defaultStep((toMs - fromMs) / 1000);
  const stepMs = Math.ceil(wanted / tier.stepSeconds) * tier.stepSeconds * 1000;
  const first = Math.floor(fromMs / stepMs) * stepMs;
  const last = Math.ceil(toMs / stepMs) * stepMs;
  if ((last - first) / stepMs > pointsMax)
    throw wrong(
      'stepSeconds',
      'too_small',
      `at most ${pointsMax} points are answered: ask for longer steps or less time`,
    );
  const read = tiers.findLast((one) => stepMs % (one.stepSeconds * 1000) === 0) ?? tier;
  return { fromMs: first, toMs: last, stepMs, tier: read.stepSeconds < tier.stepSeconds ? tier : read };
}

function defaultStep(seconds: number): number {
  return steps.find((step) => seconds / step <= pointsDefault) ?? steps.at(-1)!;
}

function wrong(name: string, code: string, message: string) {
  return invalid([{ pointer: `/query/${name}`, code, message }]);
}

/** By the begin of their step. */
async function pointsOf({ database }: Services, view: DesktopView, span: Span): Promise<Map<number, Point>> {
  // The reports first: what is rolled up meanwhile is then read twice, which changes no mean, instead of not at all.
  const reports = await reportsWith(database, view);
  const { tier, stepMs } = span;
  const chunks = await chunksBetween(database, {
    desktopId: view.id,
    stepSeconds: tier.stepSeconds,
    fromMs: span.fromMs - chunkSecondsOf(tier) * 1000,
    toMs: span.toMs,
  });
  const found = new Map<number, Point>();
  const add = (atMs: number, point: Point) => {
    if (atMs < span.fromMs || atMs >= span.toMs) return;
    const startMs = Math.floor(atMs / stepMs) * stepMs;
    const known = found.get(startMs) ?? emptyPoint();
    addPoint(known, point);
    found.set(startMs, known);
  };
  for (const { startMs, data } of chunks)
    for (const [at, point] of unpackChunk(data).entries())
      if (point !== undefined) add(startMs + at * tier.stepSeconds * 1000, point);
  for (const sample of reports.flatMap(unpackReport))
    if (sample.desktopId === view.id) for (const [step, point] of spread(sample, finestMs)) add(step * finestMs, point);
  return found;
}

const numberOf = Object.fromEntries(measures.map(({ name }, at) => [name, at])) as Record<MeasureName, number>;

function toWire(atMs: number, point: Point | undefined): Static<typeof MetricsPoint> {
  const mean = (name: MeasureName, unit: number) => {
    const value = point && meanOf(point, numberOf[name]);
    return value === undefined ? null : rounded(value / unit);
  };
  const peak = (name: MeasureName, unit: number) => {
    const value = point && peakOf(point, numberOf[name]);
    return value === undefined ? null : rounded(value / unit);
  };
  return {
    at: toRfc3339(atMs),
    measuredSeconds: point === undefined ? 0 : rounded(coveredMs(point) / 1000),
    cpuCores: mean('cpuMs', 1000),
    cpuCoresMax: peak('cpuMs', 1000),
    memoryUsedMiB: mean('memoryUsedKiB', 1024),
    memoryUsedMiBMax: peak('memoryUsedKiB', 1024),
    memoryHostMiB: mean('memoryHostKiB', 1024),
    diskUsedMiB: mean('diskUsedKiB', 1024),
    diskReadBytesPerSecond: mean('diskReadBytes', 1),
    diskWriteBytesPerSecond: mean('diskWrittenBytes', 1),
    networkReceiveBytesPerSecond: mean('networkReceivedBytes', 1),
    networkSendBytesPerSecond: mean('networkSentBytes', 1),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
