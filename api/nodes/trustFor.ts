import type { Write } from '../db/database.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import type { NodePeer } from './admission.ts';
import { fingerprintOf } from './authority.ts';
import type { NodeHello, NodeWelcome } from './schema.ts';

/**
 * What a node has to be told of our authorities: nothing in most hellos. A replica that does not know yet what another one
 * told the node keeps silent.
 */
export async function trustFor(
  { authority }: Pick<Services, 'authority'>,
  { db }: Write,
  from: { peer: NodePeer; hello: Static<typeof NodeHello> },
): Promise<Pick<Static<typeof NodeWelcome>, 'authority' | 'renewCertificate'>> {
  const { peer, hello } = from;
  if (authority === undefined || hello.authority === undefined || peer.kind !== 'node') return {};
  const { newest: generation, replicasPems: certificates, signing } = authority;
  if (hello.authority.generation > generation) return {};
  const trusted = [generation, ...certificates.map(fingerprintOf)].join();
  // Trusts it what it should, it may show a certificate of the new authority.
  if ([hello.authority.generation, ...hello.authority.fingerprints].join() !== trusted)
    return { authority: { generation, certificates } };
  if (certificates.length === 1) return {};
  const own = await db
    .selectFrom('nodeCertificates')
    .select('generation')
    .where('serial', '=', peer.serial)
    .executeTakeFirst();
  return own !== undefined && own.generation < signing ? { renewCertificate: true } : {};
}
