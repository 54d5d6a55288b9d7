import type { Clock } from '@lebureau/kit/clock';
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
  signal: AbortSignal;
}

const lookEveryMs = 3_600_000;
const callLimitMs = 15_000;

/** Renews the certificate of this node, with a new key, from half of its life on: well before two thirds are over. */
export async function keepCertificate(parts: RenewalParts): Promise<void> {
  const { clock, log, signal } = parts;
  const loop = { name: 'certificate', clock, log, signal, intervalMs: lookEveryMs, backoffMaxMs: 60_000 };
  await runLoop(loop, () => renewIfDue(parts));
}

export async function renewIfDue(parts: RenewalParts): Promise<void> {
  const identity = parts.identity();
  const nowMs = parts.clock.nowMs();
  if (nowMs < (identity.issuedAtMs + identity.expiresAtMs) / 2) return;
  const { requestPem, privateKeyPem } = await parts.newRequest();
  const { certificate, expiresAtMs } = await inTime(parts, callLimitMs, (signal) => parts.renew(requestPem, signal));
  parts.keep({ certificate, expiresAtMs, privateKey: privateKeyPem, issuedAtMs: nowMs });
  parts.log.info('certificate renewed', { expiresAtMs });
}
