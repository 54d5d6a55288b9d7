import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { VmMetrics } from '../driver.ts';
import { controlTarget, type Engine, type VmFolder } from './engine.ts';
import { readBoot, readMarker, vmPaths, vmRefsIn } from './files.ts';
import { livingProcess } from './observe.ts';
import type { ProcessIdentity } from './process.ts';

/** Linux counts processor time in hundredths of a second, whatever its kernel is built with. */
const tickMs = 10;
const qmpLimitMs = 2_000;

/** What every VM of this home uses: files of the kernel, and one question to each QEMU. */
export async function readMetrics(engine: Engine): Promise<VmMetrics[]> {
  const links = engine.network.isolated ? linkCounters(readFileSync('/proc/net/dev', 'utf8')) : new Map<string, Link>();
  const all = await Promise.all(vmRefsIn(engine.home).map((vmRef) => metricsOf(engine, vmRef, links)));
  return all.filter((each) => each !== undefined);
}

/** Undefined while it does not run, and when it ended while it was looked at. */
async function metricsOf(
  engine: Engine,
  vmRef: string,
  links: ReadonlyMap<string, Link>,
): Promise<VmMetrics | undefined> {
  try {
    const paths = vmPaths(engine.home, vmRef);
    const [marker, record] = await Promise.all([readMarker(paths.marker), readBoot(paths.boot)]);
    if (marker === undefined || marker === 'damaged' || record === undefined || record === 'damaged') return undefined;
    const vm = { paths, marker };
    // Whoever starts it speaks with its QEMU alone.
    const process = record.phase === 'started' ? livingProcess(engine, vm, record) : undefined;
    if (process === undefined) return undefined;
    const [disk, block] = await Promise.all([stat(paths.disk), blockCounters(engine, vm, process)]);
    const link = links.get(engine.network.address(marker.slot).link);
    return {
      vmRef,
      life: `${process.pid}:${process.startTicks}:${process.hostBoot}`,
      cpuMs: cpuMsIn(readFileSync(`/proc/${process.pid}/stat`, 'latin1')),
      ...memoryIn(readFileSync(`/proc/${process.pid}/status`, 'latin1')),
      diskUsedKiB: disk.blocks / 2,
      ...block,
      // What the host sends over the link the guest receives.
      networkReceivedBytes: link?.sentBytes,
      networkSentBytes: link?.receivedBytes,
    };
  } catch {
    return undefined;
  }
}

/** User and system time of all threads, those of the processors of the guest and those of its devices. */
export function cpuMsIn(stat: string): number {
  // The name in parentheses may hold anything, even parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/**
 * The template's memory is mapped privately from a file that all its clones share: what was only read of it counts as
 * shared memory, what was written is the clone's own. Pages of files (QEMU's program) are nobody's.
 */
export function memoryIn(status: string): Pick<VmMetrics, 'memoryUsedKiB' | 'memoryHostKiB'> {
  const kib = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status);
    return match ? Number(match[1]) : undefined;
  };
  const [own, shared, swapped] = [kib('RssAnon'), kib('RssShmem'), kib('VmSwap')];
  if (own === undefined || shared === undefined) return {};
  return { memoryUsedKiB: own + shared + (swapped ?? 0), memoryHostKiB: own };
}

export interface Link {
  receivedBytes: number;
  sentBytes: number;
}

/** Of /proc/net/dev: one read for all. */
export function linkCounters(text: string): Map<string, Link> {
  const links = new Map<string, Link>();
  for (const line of text.split('\n')) {
    const [name, figures] = line.split(':');
    const counts = figures?.trim().split(/\s+/).map(Number);
    if (name === undefined || counts === undefined || counts.length < 9) continue;
    links.set(name.trim(), { receivedBytes: counts[0]!, sentBytes: counts[8]! });
  }
  return links;
}

type BlockCounters = Pick<VmMetrics, 'diskReadBytes' | 'diskWrittenBytes'>;

/** As the guest read and wrote, whatever the host's cache made of it. A QEMU that does not answer keeps nobody waiting long. */
async function blockCounters(engine: Engine, vm: VmFolder, process: ProcessIdentity): Promise<BlockCounters> {
  try {
    const target = { ...controlTarget(engine, vm, process), timeoutMs: qmpLimitMs };
    const qmp = await engine.controls.of(target);
    return diskCountersIn(await qmp.execute('query-blockstats', undefined, qmpLimitMs));
  } catch {
    return {};
  }
}

/** A QEMU that was broken out of may answer anything. */
export function diskCountersIn(answer: unknown): BlockCounters {
  const devices = Array.isArray(answer) ? (answer as unknown[]) : [];
  const disk = devices.map(objectOf).find((device) => device['device'] === 'disk0');
  const stats = objectOf(disk?.['stats']);
  return { diskReadBytes: countOf(stats['rd_bytes']), diskWrittenBytes: countOf(stats['wr_bytes']) };
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
