import { type RawBuilder, sql } from 'kysely';
import type { Static } from '../http/schema.ts';
import type { NodeHello } from './schema.ts';

type DiskSaid = Pick<Static<typeof NodeHello>, 'epoch' | 'diskFreeMiB' | 'diskHeldMiB'>;

/**
 * What the node of the row has for desktops in all, as of this hello: what is free and what they hold already. So it
 * follows a disk that shrinks, or that others fill, and what is written by desktops changes nothing.
 */
export function diskCapacity(hello: DiskSaid): RawBuilder<number> {
  const before = sql<number>`"nodes"."diskMiB"`;
  const { diskFreeMiB: free, diskHeldMiB: held } = hello;
  if (held === undefined) {
    // An older hostd does not say what they hold: no more than they were promised, and no more than it had before.
    const most = sql<number>`${free} + 1024 * "nodes"."reservedDiskGiB"`;
    return sql<number>`case when ${before} < ${free} then ${free} when ${before} < ${most} then ${before} else ${most} end`;
  }
  const now = sql<number>`${free + held}`;
  if (hello.epoch !== undefined) return now;
  // At its start hostd counts machines that nobody ordered, too, so it cannot say more than it said before.
  return sql<number>`case when "nodes"."heardMs" > 0 and ${before} < ${now} then ${before} else ${now} end`;
}
