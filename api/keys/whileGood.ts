import type { Clock } from '@lebureau/kit/clock';
import type { Database } from '../db/database.ts';
import type { Caller } from './auth.ts';
import { allows, type Capability } from './capabilities.ts';
import { credentialOf, stillGood } from './stillGood.ts';

const lookEveryMs = 900;

/**
 * Aborts within a second after what somebody came with was revoked or lost the capability, for answers that go on. A
 * database that cannot be asked for a moment ends nothing.
 */
export function whileGood(
  parts: { database: Pick<Database, 'read'>; clock: Clock },
  caller: Caller,
  /** `left` aborts when the answer is over, and ends the looking. */
  until: { capability: Capability; left: AbortSignal },
): AbortSignal {
  const over = new AbortController();
  const credential = credentialOf(caller);
  const look = async () => {
    while (!until.left.aborted) {
      await parts.clock.sleep(lookEveryMs, until.left);
      if (until.left.aborted) return;
      const now = await stillGood(parts.database, credential, parts.clock.nowMs()).catch(() => caller);
      if (now !== undefined && allows(now.capabilities, until.capability)) continue;
      over.abort();
      return;
    }
  };
  void look();
  return over.signal;
}
