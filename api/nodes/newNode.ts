import { newId } from '@lebureau/kit/id';
import { sql } from 'kysely';
import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';

/** A node before it has said what it is. */
export function newNode(name: string, epoch: number, nowMs: number): NodeRow {
  return {
    id: newId('nod', nowMs),
    name,
    epoch,
    lastSeq: 0,
    revision: 1,
    heardMs: 0,
    guestAddress: '',
    cordoned: 0,
    vcpus: 0,
    memoryMiB: 0,
    diskFreeMiB: 0,
    reservedVcpus: 0,
    reservedMemoryMiB: 0,
    reservedDiskGiB: 0,
    helloJson: '{}',
    strangersJson: '[]',
    createdMs: nowMs,
    labelsJson: '{}',
    diskMiB: 0,
    joinedMs: null,
    drainMs: null,
    drainedMs: null,
    drainMode: 'stop',
    drainUnmoved: 'stop',
    fencedMs: null,
    decommissionedMs: null,
    metricsSeq: 0,
    metricsMs: null,
  };
}

/** Greater than every epoch before, over all nodes. */
export async function nextEpoch({ db }: Write): Promise<number> {
  const { value } = await db
    .insertInto('counters')
    .values({ name: 'epoch', value: 1 })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: sql<number>`"counters"."value" + 1` }))
    .returning('value')
    .executeTakeFirstOrThrow();
  return value;
}
