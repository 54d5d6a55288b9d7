import { X509Certificate } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import type { Database } from '../db/database.ts';
import {
  type KeyAndCertificate,
  type SignedCertificate,
  makeAuthority,
  makeLeaf,
  signRequest,
} from './certificates.ts';
import { authorityNames, replicaName } from './peer.ts';
import { seal, unseal } from './seal.ts';

const nodeCertificateDays = 30;
const replicaCertificateDays = 90;

/**
 * Our two certificate authorities: one signs nodes, the other the replicas of the API, so that no node can pass for the
 * API before another one.
 */
export class Authority {
  readonly #nodes: KeyAndCertificate;
  readonly #replicas: KeyAndCertificate;
  readonly #clock: Clock;

  constructor(pair: { nodes: KeyAndCertificate; replicas: KeyAndCertificate }, clock: Clock) {
    this.#nodes = pair.nodes;
    this.#replicas = pair.replicas;
    this.#clock = clock;
  }

  /** What a replica trusts: nodes, and other replicas. */
  get trusted(): string[] {
    return [this.#nodes.certificatePem, this.#replicas.certificatePem];
  }

  get nodesPem(): string {
    return this.#nodes.certificatePem;
  }

  /** What a node trusts. */
  get replicasPem(): string {
    return this.#replicas.certificatePem;
  }

  /** SHA-256 of the certificate that nodes trust, hexadecimal: a join token carries it. */
  get fingerprint(): string {
    return new X509Certificate(this.replicasPem).fingerprint256.replaceAll(':', '').toLowerCase();
  }

  signNode(nodeId: string, requestPem: string): Promise<SignedCertificate> {
    const nowMs = this.#clock.nowMs();
    return signRequest(this.#nodes, { requestPem, commonName: nodeId, nowMs, days: nodeCertificateDays });
  }

  /** Key and certificate of this replica, kept in memory only. */
  newReplica(): Promise<KeyAndCertificate> {
    const nowMs = this.#clock.nowMs();
    return makeLeaf(this.#replicas, { commonName: replicaName, nowMs, days: replicaCertificateDays });
  }
}

/**
 * Reads both authorities, making them at the first start. Several replicas may start at once: the rows that were written
 * first count. @throws Error when the rows were sealed with another key
 */
export async function openAuthority(at: { database: Database; clock: Clock; sealKey: Buffer }): Promise<Authority> {
  return new Authority({ nodes: await openOne('nodes', at), replicas: await openOne('replicas', at) }, at.clock);
}

async function openOne(
  name: keyof typeof authorityNames,
  at: { database: Database; clock: Clock; sealKey: Buffer },
): Promise<KeyAndCertificate> {
  const { database, clock, sealKey } = at;
  const find = () => database.read.selectFrom('authorities').selectAll().where('name', '=', name).executeTakeFirst();
  let row = await find();
  if (row === undefined) {
    const nowMs = clock.nowMs();
    const made = await makeAuthority(authorityNames[name], nowMs);
    const values = {
      name,
      certificatePem: made.certificatePem,
      keySealed: seal(sealKey, name, made.privateKeyPem),
      createdMs: nowMs,
    };
    await database.write(({ db }) =>
      db
        .insertInto('authorities')
        .values(values)
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute(),
    );
    row = (await find())!;
  }
  try {
    return { certificatePem: row.certificatePem, privateKeyPem: unseal(sealKey, name, row.keySealed) };
  } catch (error) {
    throw new Error(
      'The keys of the node authorities in the database are sealed with another key. Give every replica the same LEBUREAU_NODE_CA_KEY_FILE: the file node-ca-key of the first one.',
      { cause: error },
    );
  }
}
