import { Fault, isFault } from '@lebureau/kit/fault';
import type { Reader } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import type { Services } from '../services.ts';
import type { Peer } from './peer.ts';

/** A peer that may speak for a node: hostd of this machine, or a node that joined. */
export type NodePeer = Extract<Peer, { kind: 'local' | 'node' }>;

/**
 * Asks the database whether the certificate still counts, so that a node is out on every replica from the moment it was
 * taken out. @throws Fault `node_refused`
 */
export async function admitted(db: Reader, peer: Peer | undefined, nowMs: number): Promise<NodePeer> {
  if (peer?.kind === 'local') return peer;
  if (peer?.kind !== 'node') throw refused('This call wants the certificate of a node.');
  const row = await db
    .selectFrom('nodeCertificates')
    .innerJoin('nodes', 'nodes.id', 'nodeCertificates.nodeId')
    .select(['nodeCertificates.revokedMs', 'nodeCertificates.expiresMs', 'nodes.decommissionedMs'])
    .where('nodeCertificates.serial', '=', peer.serial)
    .where('nodeCertificates.nodeId', '=', peer.nodeId)
    .executeTakeFirst();
  if (row === undefined) throw refused('This certificate is of no node here.');
  if (row.decommissionedMs !== null) throw refused('This node was decommissioned; join anew.');
  if (row.revokedMs !== null) throw refused('This certificate was replaced by a newer one or revoked.');
  if (row.expiresMs <= nowMs) throw refused('This certificate has expired.');
  return peer;
}

/** Whether the certificate of this node still counts. @throws when the database cannot be asked */
export async function isAdmitted(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  nodeId: string,
  serial: string,
): Promise<boolean> {
  try {
    await admitted(database.read, { kind: 'node', nodeId, serial }, clock.nowMs());
    return true;
  } catch (error) {
    if (isFault(error, 'node_refused')) return false;
    throw error;
  }
}

/** Inside a transaction `db` is that transaction. */
export type Admit = (db: Reader, peer: Peer | undefined) => Promise<NodePeer>;

/** A node speaks for itself only. @throws Fault `node_refused` */
export function demandOwn(peer: NodePeer, node: Pick<NodeRow, 'id' | 'joinedMs'>): void {
  if (isOwn(peer, node)) return;
  throw refused('This is the epoch of another node.');
}

/** Hostd of this machine is no node that joined, even if it uses its name. */
export function isOwn(peer: NodePeer, node: Pick<NodeRow, 'id' | 'joinedMs'>): boolean {
  return peer.kind === 'local' ? node.joinedMs === null : node.id === peer.nodeId;
}

export function refused(detail: string): Fault {
  return new Fault('node_refused', detail);
}
