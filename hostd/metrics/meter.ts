import type { Clock } from '@lebureau/kit/clock';
import { describeError, isFault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import type { Driver, VmMetrics } from '../hypervisor/driver.ts';
import { within } from '../limit.ts';
import type { NodeWelcome, OrderDesk } from '../orders.ts';
import { inTime } from '../sync.ts';
import { Backlog, type Measured } from './backlog.ts';
import { usedSince } from './usedSince.ts';

export interface MeterParts {
  desk: Pick<OrderDesk, 'metrics'>;
  driver: Pick<Driver, 'metrics' | 'pastMetrics'>;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Says whether an error ends this process; then nothing more is sent. */
  fatal: (error: unknown) => boolean;
  /** Assignments of the VMs that run and are theirs, by name. */
  vms: () => ReadonlyMap<string, string>;
}

const lookLimitMs = 8_000;
const callLimitMs = 10_000;
/** Two looks that lie further apart are not compared, and the API takes in nothing older. */
const overMaxMs = 120_000;
const ageMaxMs = 4_200_000;
/** A shorter silence is no gap, and a hypervisor tells its last minutes late. */
const gapMinMs = 90_000;
const pastAfterMs = 150_000;
const pastLimitMs = 30_000;
const pastPauseMs = 500;
/** What the API will never take in; everything else is tried again. */
const hopeless = ['invalid_request', 'payload_too_large'];

/**
 * Looks every ten seconds at what the VMs use and tells the API what that makes since the last look. What cannot be sent
 * waits, as much as the backlog holds. Nothing waits for it.
 */
export class Meter {
  readonly #parts: MeterParts;
  readonly #backlog = new Backlog();
  #last: { atMs: number; byVm: ReadonlyMap<string, VmMetrics> } | undefined;
  #wish: { epoch: number; everyMs: number } | undefined;
  #running: Promise<unknown> | undefined;
  #sending: Promise<void> | undefined;
  /** What one number was given to, until it is known to have arrived: told again under the same, it counts once. */
  #batch: { seq: number; samples: Measured[] } | undefined;
  #seq = 0;

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  /** What the API's welcome asks for; an older one asks for nothing. */
  want(welcome: NodeWelcome): void {
    const { epoch, metricsEverySeconds, metricsSilentSeconds } = welcome;
    this.#wish = metricsEverySeconds === undefined ? undefined : { epoch, everyMs: metricsEverySeconds * 1000 };
    if (this.#wish === undefined || this.#running !== undefined) return;
    this.#running = Promise.all([this.#run(), this.#fill((metricsSilentSeconds ?? 0) * 1000)]);
  }

  async ended(): Promise<void> {
    await Promise.all([this.#running, this.#sending]);
  }

  async #run(): Promise<void> {
    const { clock, log, signal } = this.#parts;
    // Nodes that begin at once would look, and tell, at once for ever.
    await clock.sleep(Math.random() * (this.#wish?.everyMs ?? 0), signal);
    while (!signal.aborted) {
      const everyMs = this.#wish?.everyMs ?? 10_000;
      const dueMs = clock.monotonicMs() + everyMs;
      try {
        if (this.#wish === undefined) this.#last = undefined;
        else await this.#look();
      } catch (error) {
        log.debug('metrics were not read', { error: describeError(error) });
      }
      this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
      await clock.sleep(Math.max(everyMs / 2, dueMs - clock.monotonicMs()), signal);
    }
  }

  async #look(): Promise<void> {
    const { clock, driver } = this.#parts;
    const limit = { clock, limitMs: lookLimitMs, code: 'hypervisor_failed', doing: 'read the metrics' };
    const seen = await within(driver.metrics(), limit);
    const now = { atMs: clock.monotonicMs(), byVm: new Map(seen.map((one) => [one.vmRef, one])) };
    const before = this.#last;
    this.#last = now;
    if (before === undefined || now.atMs - before.atMs > overMaxMs) return;
    const overMs = Math.max(1, Math.round(now.atMs - before.atMs));
    const owners = this.#parts.vms();
    const values = seen.flatMap((one) => {
      const assignmentId = owners.get(one.vmRef);
      const used = usedSince(before.byVm.get(one.vmRef), one, overMs);
      return assignmentId === undefined || used === undefined ? [] : [{ assignmentId, ...used }];
    });
    this.#keep({ endedMs: now.atMs, overMs, values });
  }

  #keep(sample: Measured): void {
    const lost = this.#backlog.push(sample);
    if (lost > 0) this.#parts.log.warn('metrics were dropped', { samples: lost });
  }

  /** Everything that waits, a report at a time; what fails is tried again after the next look. */
  async #send(): Promise<void> {
    const { log, signal, fatal } = this.#parts;
    while (!signal.aborted && this.#wish !== undefined) {
      if (this.#batch === undefined) {
        const samples = this.#backlog.take();
        if (samples.length === 0) return;
        this.#batch = { seq: ++this.#seq, samples };
      }
      try {
        await this.#report(this.#wish.epoch, this.#batch);
        this.#batch = undefined;
      } catch (error) {
        if (fatal(error)) return;
        if (!isFault(error) || !hopeless.includes(error.code)) return;
        log.warn('metrics were refused', { error: describeError(error) });
        this.#batch = undefined;
      }
    }
  }

  async #report(epoch: number, batch: { seq: number; samples: Measured[] }): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const samples = batch.samples
      .map(({ endedMs, overMs, values }) => ({ ageMs: Math.max(0, Math.round(nowMs - endedMs)), overMs, values }))
      .filter((sample) => sample.ageMs <= ageMaxMs);
    const report = { epoch, seq: batch.seq, samples };
    await inTime(this.#parts, callLimitMs, (signal) => this.#parts.desk.metrics(report, signal));
  }

  /** Once after a start: what the hypervisor remembers of the time in which nobody told anything, a VM at a time. */
  async #fill(silentMs: number): Promise<void> {
    const { clock, driver, log, signal } = this.#parts;
    if (silentMs < gapMinMs || driver.pastMetrics === undefined) return;
    const gap = { fromMs: clock.monotonicMs() - silentMs, toMs: clock.monotonicMs() };
    await clock.sleep(pastAfterMs, signal);
    for (const [vmRef, assignmentId] of this.#parts.vms()) {
      if (signal.aborted) return;
      try {
        const limit = { clock, limitMs: pastLimitMs, code: 'hypervisor_failed', doing: 'read the history' };
        const past = await within(driver.pastMetrics(vmRef), limit);
        const nowMs = clock.monotonicMs();
        for (const { agoMs, overMs, used } of past) {
          const endedMs = nowMs - agoMs;
          if (endedMs - overMs < gap.fromMs || endedMs > gap.toMs) continue;
          this.#keep({ endedMs, overMs, values: [{ assignmentId, ...used }] });
        }
      } catch (error) {
        log.warn('history of a desktop was not read', { vmRef, error: describeError(error) });
      }
      await clock.sleep(pastPauseMs, signal);
    }
  }
}
