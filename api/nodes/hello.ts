import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import { sql } from 'kysely';
import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import type { NodeHello, NodeWelcome } from './schema.ts';

type Hello = Static<typeof NodeHello>;

/** A node says what it is. Without an epoch it begins a new one, and whoever had the former is told to stop. */
export async function welcomeNode(services: Services, write: Write, hello: Hello): Promise<Static<typeof NodeWelcome>> {
  const { epoch: given, ...facts } = hello;
  const change = changeOf(facts, services.clock.nowMs());
  const reclaimAfterSeconds = services.reclaimAfterSeconds;
  if (given !== undefined) {
    const row = await write.db
      .updateTable('nodes')
      .set(change)
      .where('name', '=', hello.nodeName)
      .where('epoch', '=', given)
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) throw superseded(given);
    return { nodeId: row.id, epoch: given, reclaimAfterSeconds };
  }
  const epoch = await nextEpoch(write);
  const row = await write.db
    .insertInto('nodes')
    .values({ ...newNode(services.clock.nowMs()), ...change, name: hello.nodeName, epoch })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ ...change, epoch, lastSeq: 0 }))
    .returning('id')
    .executeTakeFirstOrThrow();
  services.log.info('node began an epoch', {
    node: hello.nodeName,
    nodeId: row.id,
    epoch,
    driver: hello.driver,
    accelerator: hello.accelerator,
  });
  return { nodeId: row.id, epoch, reclaimAfterSeconds };
}

function changeOf(facts: Omit<Hello, 'epoch'>, nowMs: number) {
  return {
    heardMs: nowMs,
    guestAddress: facts.guestAddress,
    vcpus: facts.vcpus,
    memoryMiB: facts.memoryMiB,
    diskFreeMiB: facts.diskFreeMiB,
    helloJson: JSON.stringify(facts),
  };
}

function newNode(nowMs: number): NodeRow {
  return {
    id: newId('nod', nowMs),
    name: '',
    epoch: 0,
    lastSeq: 0,
    revision: 1,
    heardMs: nowMs,
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
  };
}

async function nextEpoch({ db }: Write): Promise<number> {
  const { value } = await db
    .insertInto('counters')
    .values({ name: 'epoch', value: 1 })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: sql<number>`"counters"."value" + 1` }))
    .returning('value')
    .executeTakeFirstOrThrow();
  return value;
}

export function superseded(epoch: number): Fault {
  return new Fault('epoch_superseded', `Epoch ${epoch} is over: another hostd has taken this node.`);
}
