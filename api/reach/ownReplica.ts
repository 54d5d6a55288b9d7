import { newId } from '@lebureau/kit/id';
import { runLoop } from '@lebureau/kit/loop';
import type { Authority } from '../nodes/authority.ts';
import { authorityTopic } from '../nodes/authorityRows.ts';
import type { KeyAndCertificate } from '../nodes/certificates.ts';
import { advanceRotation } from '../nodes/rotation.ts';
import type { Services } from '../services.ts';

/** This replica, as nodes and other replicas know it. */
export interface OwnReplica {
  id: string;
  /** Key and certificate that it shows now. */
  current(): KeyAndCertificate;
  /** Makes new ones. */
  renew(): Promise<void>;
  /** `apply` is called whenever it shows or trusts something else than before. */
  follow(apply: () => void): void;
  close(): Promise<void>;
}

const lookEveryMs = 10_000;
const backoffMaxMs = 5_000;

/** Renews the row of this replica and follows the authorities as they are replaced, which it does its part of. */
export async function openOwnReplica(services: Services, authority: Authority): Promise<OwnReplica> {
  const { clock, database, log, replicas } = services;
  const id = newId('rep', clock.nowMs());
  let current = await authority.newReplica();
  let shownGeneration = authority.shown;
  let apply = () => {};
  const renew = async () => {
    const generation = authority.shown;
    current = await authority.newReplica();
    shownGeneration = generation;
    apply();
  };
  const address = services.nodeAddress ?? '';
  // Said only of what is in force here: the others act upon it.
  const renewRow = () => replicas.renew({ id, address, generation: authority.newest, shownGeneration });
  // Before the listener opens, so that the first node that comes is told of this replica.
  await renewRow();
  const ending = new AbortController();
  const { signal } = ending;
  const loop = { name: 'replica', clock, log, signal, intervalMs: 0, backoffMaxMs };
  const following = runLoop(loop, async () => {
    const woken = database.waitFor(authorityTopic, { timeoutMs: lookEveryMs, signal });
    try {
      if (await authority.reload()) {
        if (authority.shown === shownGeneration) apply();
        else await renew();
      }
    } finally {
      await renewRow();
    }
    await advanceRotation(services);
    await woken;
  });
  return {
    id,
    current: () => current,
    renew,
    follow(next) {
      apply = next;
      // It may have changed since the caller looked.
      apply();
    },
    async close() {
      ending.abort();
      await following;
      await replicas.leave(id).catch(() => {});
    },
  };
}
