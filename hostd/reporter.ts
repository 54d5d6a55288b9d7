import type { Clock } from '@lebureau/kit/clock';
import { Fault, describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { backoffMs } from '@lebureau/kit/loop';
import { inTime } from './sync.ts';
import type { Observation, ObservationReceipt, OrderDesk, Stranger } from './orders.ts';

const batchMax = 1000;
/** After so many failures observations are sent one by one. */
const togetherTriesMax = 3;
const backoffMaxMs = 5_000;
const callLimitMs = 10_000;

interface Confirmation {
  observation: Observation;
  resolve: () => void;
  reject: (fault: Fault) => void;
}

/**
 * Sends observations at once, one report in flight at a time; what changes meanwhile waits for the next, the newest of
 * each assignment only. Nothing is dropped until the API accepted or refused it.
 */
export class Reporter {
  private readonly desk: OrderDesk;
  readonly clock: Clock;
  private readonly log: Log;
  readonly signal: AbortSignal;
  private readonly fatal: (error: unknown) => boolean;
  private readonly pending = new Map<string, Observation>();
  private confirmations: Confirmation[] = [];
  private strangers: Stranger[] = [];
  private strangersTold = '[]';
  private seq = 0;
  private epoch: number | undefined;
  private sending: Promise<void> | undefined;

  /** @param parts.fatal says whether an error ends this process; then nothing more is sent. */
  constructor(parts: {
    desk: OrderDesk;
    clock: Clock;
    log: Log;
    signal: AbortSignal;
    fatal: (error: unknown) => boolean;
  }) {
    this.desk = parts.desk;
    this.clock = parts.clock;
    this.log = parts.log;
    this.signal = parts.signal;
    this.fatal = parts.fatal;
  }

  beginEpoch(epoch: number): void {
    this.epoch = epoch;
    this.seq = 0;
    this.strangersTold = '';
    this.kick();
  }

  tell(observation: Observation): void {
    this.pending.set(observation.assignmentId, observation);
    this.kick();
  }

  /** Those that are there are told each time: what the API does not take over yet it may take over later. */
  tellStrangers(strangers: Stranger[]): void {
    this.strangers = strangers.slice(0, batchMax);
    if (this.strangers.length > 0) this.strangersTold = '';
    if (this.hasNews()) this.kick();
  }

  /** Resolves when the API accepted this observation. @throws Fault `observation_refused`, or `api_unreachable` after one failed call. */
  confirm(observation: Observation): Promise<void> {
    return new Promise((resolve, reject) => {
      this.confirmations.push({ observation, resolve, reject });
      this.tell(observation);
    });
  }

  /** What was told so far has been sent, or `limitMs` is over. */
  async drain(limitMs: number): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.sending ?? Promise.resolve(), this.clock.sleep(limitMs, over.signal)]);
    over.abort();
  }

  private kick(): void {
    if (this.epoch === undefined || this.sending !== undefined || this.signal.aborted) return;
    this.sending = this.sendAll().finally(() => {
      this.sending = undefined;
    });
  }

  /** The first turn of the event loop is given away, so that what changes together travels together. */
  private async sendAll(): Promise<void> {
    await Promise.resolve();
    let failures = 0;
    while (!this.signal.aborted && this.hasNews()) {
      const batch = [...this.pending.values()].slice(0, failures < togetherTriesMax ? batchMax : 1);
      const asked = this.confirmations.filter((one) => batch.includes(one.observation));
      const superseded = this.confirmations.filter(
        (one) => this.pending.get(one.observation.assignmentId) !== one.observation,
      );
      this.confirmations = this.confirmations.filter((one) => !asked.includes(one) && !superseded.includes(one));
      for (const one of superseded) one.reject(new Fault('observation_refused', 'A newer observation took its place.'));
      try {
        const receipt = await this.send(batch);
        this.settle(batch, asked, receipt);
        failures = 0;
      } catch (error) {
        for (const one of asked)
          one.reject(new Fault('api_unreachable', 'The API did not confirm the order.', { cause: error }));
        if (this.signal.aborted || this.fatal(error)) return;
        failures += 1;
        if (failures > togetherTriesMax) this.putLast(batch);
        this.log.warn('report failed', { failures, error: describeError(error) });
        await this.clock.sleep(backoffMs(failures, backoffMaxMs), this.signal);
      }
    }
  }

  /** One observation that the API chokes on must not keep the others from it. */
  private putLast(batch: Observation[]): void {
    for (const observation of batch) {
      if (this.pending.get(observation.assignmentId) !== observation) continue;
      this.pending.delete(observation.assignmentId);
      this.pending.set(observation.assignmentId, observation);
    }
  }

  private hasNews(): boolean {
    return this.pending.size > 0 || JSON.stringify(this.strangers) !== this.strangersTold;
  }

  private async send(observations: Observation[]): Promise<ObservationReceipt> {
    const strangersSent = JSON.stringify(this.strangers);
    this.seq += 1;
    const report = { epoch: this.epoch ?? 0, seq: this.seq, observations, strangers: this.strangers };
    const receipt = await inTime(this, callLimitMs, (signal) => this.desk.report(report, signal));
    this.strangersTold = strangersSent;
    return receipt;
  }

  private settle(batch: Observation[], asked: Confirmation[], receipt: ObservationReceipt): void {
    const refused = new Map(receipt.refused.map((one) => [one.assignmentId, one.reason]));
    for (const observation of batch) {
      if (this.pending.get(observation.assignmentId) === observation) this.pending.delete(observation.assignmentId);
    }
    for (const one of asked) {
      const reason = refused.get(one.observation.assignmentId);
      if (reason === undefined) one.resolve();
      else one.reject(new Fault('observation_refused', `The API refused the announcement of a clone: ${reason}.`));
    }
    if (refused.size > 0) this.log.warn('observations refused', { refused: receipt.refused });
  }
}
