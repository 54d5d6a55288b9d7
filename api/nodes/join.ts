import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { JoinTokenRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import type { NodePeer } from './admission.ts';
import type { Authority } from './authority.ts';
import type { SignedCertificate } from './certificates.ts';
import type { CreateJoinToken, CreatedJoinToken, JoinRequest, Joined, Renewed } from './joinSchema.ts';
import { hashJoinSecret, newJoinSecret } from './joinSecret.ts';
import { newNode, nextEpoch } from './newNode.ts';
import { findNode } from './store.ts';

const expiresInSecondsDefault = 3600;

/** A token that lets one machine in, once. Only its hash is kept. */
export async function createJoinToken(
  services: Services,
  write: Write,
  from: { caller: Caller; body: Static<typeof CreateJoinToken> },
): Promise<Static<typeof CreatedJoinToken>> {
  const authority = authorityOf(services);
  const { caller, body } = from;
  const nowMs = services.clock.nowMs();
  const node = body.nodeId === undefined ? undefined : await findNode(write.db, body.nodeId);
  if (body.nodeId !== undefined && (node === undefined || node.joinedMs === null || node.decommissionedMs !== null))
    throw notFound('node that joined');
  const secret = newJoinSecret(authority.fingerprint);
  const row: JoinTokenRow = {
    id: newId('jtk', nowMs),
    workspaceId: caller.workspaceId,
    hash: hashJoinSecret(secret),
    nodeName: node?.name ?? body.nodeName ?? null,
    nodeId: node?.id ?? null,
    labelsJson: JSON.stringify(body.labels ?? {}),
    createdBy: caller.actor.id ?? caller.actor.type,
    createdMs: nowMs,
    expiresMs: nowMs + (body.expiresInSeconds ?? expiresInSecondsDefault) * 1000,
    usedMs: null,
    generation: authority.shown,
  };
  await write.db.insertInto('joinTokens').values(row).execute();
  return {
    joinToken: { id: row.id, nodeName: row.nodeName, expiresAt: toRfc3339(row.expiresMs) },
    token: secret,
    command: `npm run bun hostd/main.ts join ${services.nodeAddress} ${secret}`,
  };
}

/** Uses the token up and makes the node, or gives one that exists a new certificate. @throws Fault `join_refused` */
export async function joinNode(
  services: Services,
  write: Write,
  request: Static<typeof JoinRequest>,
): Promise<Static<typeof Joined>> {
  const nowMs = services.clock.nowMs();
  const token = await useUp(write, request, nowMs);
  const nodeId = token.nodeId ?? (await placeFor(write, token, { nodeName: request.nodeName, nowMs }));
  await write.db
    .updateTable('nodeCertificates')
    .set({ revokedMs: nowMs })
    .where('nodeId', '=', nodeId)
    .where('revokedMs', 'is', null)
    .execute();
  // Whoever joins anew may have lost the former ones to somebody: calls that run with any of them end.
  await write.db.updateTable('nodeCertificates').set({ replacedMs: null }).where('nodeId', '=', nodeId).execute();
  const signed = await certify(services, write, { nodeId, requestPem: request.certificateRequest });
  await record(write, services.clock, {
    type: 'node.joined',
    workspaceId: token.workspaceId,
    actor: { type: 'node', id: nodeId },
    data: { nodeId, name: request.nodeName, joinTokenId: token.id },
  });
  services.log.info('node joined', { node: request.nodeName, nodeId, joinTokenId: token.id });
  const { addresses: apiAddresses } = services.replicas;
  return { nodeId, certificate: signed.certificatePem, expiresAtMs: signed.expiresMs, apiAddresses };
}

/** By compare-and-set: of two that come with the same token one is let in. */
async function useUp({ db }: Write, request: Static<typeof JoinRequest>, nowMs: number): Promise<JoinTokenRow> {
  const token = await db
    .updateTable('joinTokens')
    .set({ usedMs: nowMs })
    .where('hash', '=', hashJoinSecret(request.token))
    .where('usedMs', 'is', null)
    .where('expiresMs', '>', nowMs)
    .returningAll()
    .executeTakeFirst();
  if (token === undefined) throw new Fault('join_refused', 'The join token is unknown, used or expired.');
  if (token.nodeName !== null && token.nodeName !== request.nodeName)
    throw new Fault('join_refused', `This join token is for the name ${token.nodeName}.`);
  return token;
}

/** A row of its own; one that joined and was never heard made way for nobody yet and is taken over. */
async function placeFor(write: Write, token: JoinTokenRow, at: { nodeName: string; nowMs: number }): Promise<string> {
  const { nodeName, nowMs } = at;
  const known = await write.db.selectFrom('nodes').selectAll().where('name', '=', nodeName).executeTakeFirst();
  if (known !== undefined && (known.joinedMs === null || known.heardMs !== 0))
    throw new Fault('join_refused', `There is a node called ${nodeName} already.`, {
      hint: 'Choose another LEBUREAU_NODE_NAME, or make a join token for that node by its nodeId.',
    });
  const labels = { labelsJson: token.labelsJson, joinedMs: nowMs };
  if (known !== undefined) {
    await write.db.updateTable('nodes').set(labels).where('id', '=', known.id).execute();
    return known.id;
  }
  const row = { ...newNode(nodeName, await nextEpoch(write), nowMs), ...labels };
  await write.db.insertInto('nodes').values(row).execute();
  return row.id;
}

export async function renewCertificate(
  services: Services,
  write: Write,
  from: { peer: NodePeer; requestPem: string },
): Promise<Static<typeof Renewed>> {
  const { peer, requestPem } = from;
  if (peer.kind !== 'node') throw new Fault('node_refused', 'Hostd of this machine needs no certificate.');
  // Besides the one it shows a node has at most one that it may use next, however often it asks.
  await write.db
    .deleteFrom('nodeCertificates')
    .where('nodeId', '=', peer.nodeId)
    .where('serial', '<>', peer.serial)
    // Calls that began under one that was replaced may come to their end.
    .where('replacedMs', 'is', null)
    .execute();
  const signed = await certify(services, write, { nodeId: peer.nodeId, requestPem });
  return { certificate: signed.certificatePem, expiresAtMs: signed.expiresMs };
}

async function certify(
  services: Services,
  { db }: Write,
  from: { nodeId: string; requestPem: string },
): Promise<SignedCertificate> {
  const signed = await authorityOf(services).signNode(from.nodeId, from.requestPem);
  const { serial, expiresMs, generation } = signed;
  const createdMs = services.clock.nowMs();
  await db
    .insertInto('nodeCertificates')
    .values({ serial, nodeId: from.nodeId, createdMs, expiresMs, revokedMs: null, replacedMs: null, generation })
    .execute();
  return signed;
}

export function authorityOf(services: Services): Authority {
  if (services.authority !== undefined) return services.authority;
  throw new Fault('wrong_state', 'This API has no listener for nodes of other machines.', {
    hint: 'Set LEBUREAU_NODE_LISTEN=unix:/…,tls:address:port and start it again.',
  });
}

const keptMs = 7 * 86_400_000;

/** Forgets tokens and certificates that ended long ago. */
export async function purgeJoins(db: Write['db'], nowMs: number): Promise<void> {
  await db
    .deleteFrom('joinTokens')
    .where('expiresMs', '<', nowMs - keptMs)
    .execute();
  await db
    .deleteFrom('nodeCertificates')
    .where('expiresMs', '<', nowMs - keptMs)
    .execute();
}
