import type { Reader } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { type NodePeer, demandOwn } from './admission.ts';
import { superseded } from './hello.ts';
import type { Assignment, AssignmentList } from './schema.ts';
import { orderTopic } from './store.ts';

interface NodeMark {
  id: string;
  joinedMs: number | null;
  revision: number;
}

/** Every order for the node of this epoch; waits until they differ from `after`, at most `waitSeconds`. */
export async function listAssignments(
  services: Services,
  wish: { peer: NodePeer; epoch: number; after?: string; waitSeconds?: number; signal: AbortSignal },
): Promise<Static<typeof AssignmentList>> {
  const { clock, database } = services;
  const endMs = clock.monotonicMs() + (wish.waitSeconds ?? 0) * 1000;
  let node = await nodeOf(database.read, wish.epoch);
  demandOwn(wish.peer, node);
  while (String(node.revision) === wish.after) {
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0 || wish.signal.aborted) break;
    const looked = new AbortController();
    const woken = database.waitFor(orderTopic(node.id), {
      timeoutMs: leftMs,
      signal: AbortSignal.any([looked.signal, wish.signal]),
    });
    node = await nodeOf(database.read, wish.epoch);
    if (String(node.revision) === wish.after) await woken;
    looked.abort();
    node = await nodeOf(database.read, wish.epoch);
  }
  const rows = await database.read
    .selectFrom('assignments')
    .selectAll()
    .where('nodeId', '=', node.id)
    .where('closedMs', 'is', null)
    .orderBy('id')
    .execute();
  return { epoch: wish.epoch, revision: String(node.revision), assignments: rows.map(toOrder) };
}

async function nodeOf(db: Reader, epoch: number): Promise<NodeMark> {
  const node = await db
    .selectFrom('nodes')
    .select(['id', 'joinedMs', 'revision'])
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  if (node === undefined) throw superseded(epoch);
  return node;
}

function toOrder(row: AssignmentRow): Static<typeof Assignment> {
  return {
    assignmentId: row.id,
    desktopId: row.desktopId,
    vmRef: row.vmRef,
    templateId: row.templateId,
    hardware: { vcpus: row.vcpus, memoryMiB: row.memoryMiB, diskGiB: row.diskGiB },
    network: row.network as 'internet' | 'none',
    hostName: row.hostName,
    timeZone: row.timeZone,
    desired: row.desired as 'running' | 'stopped' | 'deleted',
    desiredBoot: row.desiredBoot,
    generation: row.generation,
    identityVersion: row.identityVersion,
    cloneSeen: row.cloneSeen === 1,
    gracefulStopSeconds: row.gracefulStopSeconds,
    config: row.configJson,
    ...(row.moveTo === null ? {} : { move: { to: row.moveTo } }),
  };
}
