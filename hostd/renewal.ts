import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { runLoop } from '@lebureau/kit/loop';
import type { NodeIdentity } from './nodeIdentity.ts';
import { inTime } from './sync.ts';

export interface RenewalParts {
  identity: () => NodeIdentity;
  /** Asks the API to certify a new key pair. */
  renew: (requestPem: string, signal: AbortSignal) => Promise<{ certificate: string; expiresAtMs: number }>;
  newRequest: () => Promise<{ requestPem: string; privateKeyPem: string }>;
  /** Keeps what is new of the identity before it is used. */
  keep: (renewed: Pick<NodeIdentity, 'certificate' | 'privateKey' | 'issuedAtMs' | 'expiresAtMs'>) => void;
  clock: Clock;
  log: Log;
}

const lookEveryMs = 3_600_000;
const callLimitMs = 15_000;

/** Renews the certificate of this node, with a new key, from half of its life on, well before two thirds are over; or at once. */
export class Renewal {
  readonly #parts: RenewalParts;
  readonly #over = new AbortController();
  readonly #ended: Promise<void>;
  #running: Promise<void> | undefined;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
    const { clock, log } = parts;
    const loop = { name: 'certificate', clock, log, signal: this.#over.signal, intervalMs: lookEveryMs };
    this.#ended = runLoop({ ...loop, backoffMaxMs: 60_000 }, () => this.ifDue());
  }

  /** The API wants it: its authority is being replaced. Asked again with every hello, so a failure needs no care here. */
  now(): void {
    this.#renew().catch((error: unknown) => {
      this.#parts.log.warn('certificate not renewed', { error: describeError(error) });
    });
  }

  /** @throws Fault when the API does not answer */
  async ifDue(): Promise<void> {
    const { issuedAtMs, expiresAtMs } = this.#parts.identity();
    if (this.#parts.clock.nowMs() >= (issuedAtMs + expiresAtMs) / 2) await this.#renew();
  }

  async close(): Promise<void> {
    this.#over.abort();
    await Promise.allSettled([this.#ended, this.#running]);
  }

  /** One at a time; who asks meanwhile gets the same. */
  #renew(): Promise<void> {
    this.#running ??= this.#renewOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #renewOnce(): Promise<void> {
    const { clock, log, newRequest, renew, keep } = this.#parts;
    const issuedAtMs = clock.nowMs();
    const { requestPem, privateKeyPem } = await newRequest();
    const patience = { clock, signal: this.#over.signal };
    const { certificate, expiresAtMs } = await inTime(patience, callLimitMs, (signal) => renew(requestPem, signal));
    keep({ certificate, expiresAtMs, privateKey: privateKeyPem, issuedAtMs });
    log.info('certificate renewed', { expiresAtMs });
  }
}
