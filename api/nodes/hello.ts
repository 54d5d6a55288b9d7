import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import type { Static } from '../http/schema.ts';
import { finest } from '../metrics/tiers.ts';
import type { Services } from '../services.ts';
import { type NodePeer, isOwn, refused } from './admission.ts';
import { trustFor } from './trustFor.ts';
import { diskCapacity } from './diskCapacity.ts';
import { authorityTopic } from './authorityRows.ts';
import { newNode, nextEpoch } from './newNode.ts';
import { chooseProtocol } from './protocol.ts';
import type { NodeHello, NodeWelcome } from './schema.ts';

type Hello = Static<typeof NodeHello>;

/** A node says what it is. Without an epoch it begins a new one, and whoever had the former is told to stop. */
export async function welcomeNode(
  services: Services,
  write: Write,
  from: { peer: NodePeer; hello: Hello },
): Promise<Static<typeof NodeWelcome>> {
  const { peer, hello } = from;
  const protocol = chooseProtocol(hello.protocols);
  checkAddress(peer, hello.guestAddress);
  const { id, epoch, metricsMs } =
    hello.epoch === undefined ? await begin(services, write, from) : await renew(services, write, from);
  const metrics = metricsWish(services, metricsMs);
  const welcome = { nodeId: id, epoch, reclaimAfterSeconds: services.reclaimAfterSeconds, protocol, ...metrics };
  if (peer.kind === 'local') return welcome;
  const isRetired = await retireOlder(write, peer, services.clock.nowMs());
  // Where the authorities are being replaced somebody may have waited for just that.
  if (isRetired) write.wake(authorityTopic);
  return { ...welcome, apiAddresses: services.replicas.addresses, ...(await trustFor(services, write, from)) };
}

async function renew(services: Services, { db }: Write, from: { peer: NodePeer; hello: Hello }) {
  const { peer, hello } = from;
  const epoch = hello.epoch!;
  const row = await db
    .updateTable('nodes')
    .set(changeOf(hello, services.clock.nowMs()))
    .where('name', '=', hello.nodeName)
    .where('epoch', '=', epoch)
    .returning(['id', 'joinedMs', 'metricsMs'])
    .executeTakeFirst();
  if (row === undefined) throw superseded(epoch);
  // Thrown inside the transaction: what was just written is undone.
  if (!isOwn(peer, row)) throw refused(`The name ${hello.nodeName} belongs to another node.`);
  return { id: row.id, epoch, metricsMs: row.metricsMs };
}

async function begin(services: Services, write: Write, from: { peer: NodePeer; hello: Hello }) {
  const { peer, hello } = from;
  const nowMs = services.clock.nowMs();
  const epoch = await nextEpoch(write);
  const change = { ...changeOf(hello, nowMs), epoch, lastSeq: 0, metricsSeq: 0 };
  const row =
    peer.kind === 'local'
      ? await write.db
          .insertInto('nodes')
          .values({
            ...newNode(hello.nodeName, epoch, nowMs),
            ...change,
            diskMiB: hello.diskFreeMiB + (hello.diskHeldMiB ?? 0),
          })
          .onConflict((conflict) => conflict.column('name').doUpdateSet(change))
          .returning(['id', 'joinedMs', 'metricsMs'])
          .executeTakeFirstOrThrow()
      : await write.db
          .updateTable('nodes')
          .set(change)
          .where('id', '=', peer.nodeId)
          .where('name', '=', hello.nodeName)
          .returning(['id', 'joinedMs', 'metricsMs'])
          .executeTakeFirst();
  if (row === undefined || !isOwn(peer, row))
    throw refused(`This node is not called ${hello.nodeName} here, or that name belongs to another one.`);
  services.log.info('node began an epoch', {
    node: hello.nodeName,
    nodeId: row.id,
    epoch,
    driver: hello.driver,
    accelerator: hello.accelerator,
  });
  return { id: row.id, epoch, metricsMs: row.metricsMs };
}

/** So often they are wanted, and how long they were missing: a hypervisor that keeps a history can fill that. */
function metricsWish(
  { metrics, clock }: Services,
  metricsMs: number | null,
): Pick<Static<typeof NodeWelcome>, 'metricsEverySeconds' | 'metricsSilentSeconds'> {
  if (!metrics) return {};
  const everySeconds = { metricsEverySeconds: finest.stepSeconds };
  if (metricsMs === null) return everySeconds;
  return { ...everySeconds, metricsSilentSeconds: Math.max(0, Math.floor((clock.nowMs() - metricsMs) / 1000)) };
}

/** Once the newest certificate was used, a copy of an older one is worth nothing. @returns whether there was one */
async function retireOlder({ db }: Write, peer: { nodeId: string; serial: string }, nowMs: number): Promise<boolean> {
  const own = db.selectFrom('nodeCertificates').select('createdMs').where('serial', '=', peer.serial);
  const { numUpdatedRows } = await db
    .updateTable('nodeCertificates')
    .set({ revokedMs: nowMs, replacedMs: nowMs })
    .where('nodeId', '=', peer.nodeId)
    .where('serial', '<>', peer.serial)
    .where('createdMs', '<=', own)
    .where('revokedMs', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function changeOf(hello: Hello, nowMs: number) {
  const { epoch: _, ...facts } = hello;
  return {
    heardMs: nowMs,
    guestAddress: facts.guestAddress,
    vcpus: facts.vcpus,
    memoryMiB: facts.memoryMiB,
    diskFreeMiB: facts.diskFreeMiB,
    diskMiB: diskCapacity(hello),
    helloJson: JSON.stringify(facts),
  };
}

/** What a node names decides where we connect: a remote one names no file of this machine. */
function checkAddress(peer: NodePeer, guestAddress: string): void {
  const fits = peer.kind === 'local' ? /^unix:\// : /^(tunnel:|https:\/\/[^/@\s]+)$/;
  if (fits.test(guestAddress)) return;
  throw refused(
    `A ${peer.kind === 'local' ? 'node of this machine' : 'node that joined'} cannot name ${guestAddress}.`,
  );
}

export function superseded(epoch: number): Fault {
  return new Fault('epoch_superseded', `Epoch ${epoch} is over: another hostd has taken this node.`);
}
