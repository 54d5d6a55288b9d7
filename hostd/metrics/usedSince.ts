import type { VmMetrics } from '../hypervisor/driver.ts';
import type { MetricsValues } from '../orders.ts';

export type Used = Omit<MetricsValues, 'assignmentId'>;

const levels = ['memoryUsedKiB', 'memoryHostKiB', 'diskUsedKiB'] as const;
const counters = ['cpuMs', 'diskReadBytes', 'diskWrittenBytes', 'networkReceivedBytes', 'networkSentBytes'] as const;

/**
 * What a VM used between two looks at it. Pure. Undefined when they are of two lives: it was started anew in between,
 * and nobody knows when. A counter that fell, or was not known at one end, tells nothing.
 */
export function usedSince(before: VmMetrics | undefined, now: VmMetrics, overMs: number): Used | undefined {
  if (before === undefined || before.life !== now.life) return undefined;
  const used: Used = {};
  for (const name of levels) {
    const level = now[name];
    if (isCount(level)) used[name] = Math.round(level);
  }
  for (const name of counters) {
    const [from, to] = [before[name], now[name]];
    if (isCount(from) && isCount(to) && to >= from) used[name] = Math.round(to) - Math.round(from);
  }
  if (used.cpuMs === undefined && isCount(now.cpuCores)) used.cpuMs = Math.round(now.cpuCores * overMs);
  return used;
}

/** What comes from a hypervisor is not believed to be a number. */
function isCount(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}
