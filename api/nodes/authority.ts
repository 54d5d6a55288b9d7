import { X509Certificate } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import type { Database, Write } from '../db/database.ts';
import { type Generation, type SealKeys, insertGeneration, readGenerations, rewrap } from './authorityRows.ts';
import { type KeyAndCertificate, type SignedCertificate, makeLeaf, signRequest } from './certificates.ts';
import { replicaName } from './peer.ts';

const nodeCertificateDays = 30;
const replicaCertificateDays = 90;

interface AuthorityParts {
  database: Database;
  clock: Clock;
  sealKeys: SealKeys;
}

/**
 * Our two certificate authorities: one signs nodes, the other the replicas of the API, so that no node can pass for the
 * API before another one. While they are replaced there are two generations of both, and all of them are trusted.
 */
export class Authority {
  readonly #parts: AuthorityParts;
  #generations: readonly Generation[];

  constructor(parts: AuthorityParts, generations: readonly Generation[]) {
    this.#parts = parts;
    this.#generations = generations;
  }

  /** What a replica trusts: nodes, and other replicas. */
  get trusted(): string[] {
    return [...this.nodesPems, ...this.replicasPems];
  }

  get nodesPems(): string[] {
    return this.#generations.map((each) => each.nodes.certificatePem);
  }

  /** What a node shall trust, and a replica of other replicas. */
  get replicasPems(): string[] {
    return this.#generations.map((each) => each.replicas.certificatePem);
  }

  /** That by which this API is known now. */
  get replicasPem(): string {
    return this.#shown.replicas.certificatePem;
  }

  /** SHA-256 of the certificate by which this API is known now, hexadecimal: a join token carries it. */
  get fingerprint(): string {
    return fingerprintOf(this.replicasPem);
  }

  /** Numbers of generations: the newest that is known here, that which signs nodes, and that which replicas show. */
  get newest(): number {
    return this.#generations.at(-1)!.generation;
  }

  get signing(): number {
    return this.#signs.generation;
  }

  get shown(): number {
    return this.#shown.generation;
  }

  async signNode(nodeId: string, requestPem: string): Promise<SignedCertificate & { generation: number }> {
    const nowMs = this.#parts.clock.nowMs();
    const { nodes, generation } = this.#signs;
    const signed = await signRequest(nodes, { requestPem, commonName: nodeId, nowMs, days: nodeCertificateDays });
    return { ...signed, generation };
  }

  /** Key and certificate of this replica, kept in memory only. */
  newReplica(): Promise<KeyAndCertificate> {
    const nowMs = this.#parts.clock.nowMs();
    return makeLeaf(this.#shown.replicas, { commonName: replicaName, nowMs, days: replicaCertificateDays });
  }

  /** Begins to replace both. @returns false when that was begun already */
  addGeneration(write: Write, deadlineMs: number): Promise<boolean> {
    const createdMs = this.#parts.clock.nowMs();
    const row = { generation: this.newest + 1, createdMs, deadlineMs, signsMs: null, shownMs: null };
    return insertGeneration(write, row, this.#parts.sealKeys.current);
  }

  /** Reads how far they are. @returns whether anything of it is new here */
  async reload(): Promise<boolean> {
    const { database, sealKeys } = this.#parts;
    const now = await readGenerations(database, sealKeys, this.#generations);
    const isNew = stepsOf(now) !== stepsOf(this.#generations);
    this.#generations = now;
    return isNew;
  }

  get #signs(): Generation {
    return this.#generations.findLast((each) => each.signsMs !== null)!;
  }

  get #shown(): Generation {
    return this.#generations.findLast((each) => each.shownMs !== null)!;
  }
}

/** SHA-256, hexadecimal. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}

function stepsOf(generations: readonly Generation[]): string {
  return generations.map((each) => [each.generation, each.signsMs, each.shownMs].join()).join(' ');
}

/**
 * Reads the authorities, making them at the first start. Several replicas may start at once: what was written first
 * counts. @throws Error when the rows were sealed with another key
 */
export async function openAuthority(parts: AuthorityParts): Promise<Authority> {
  const { database, clock, sealKeys } = parts;
  const nowMs = clock.nowMs();
  const first = { generation: 1, createdMs: nowMs, deadlineMs: null, signsMs: nowMs, shownMs: nowMs };
  await database.write((write) => insertGeneration(write, first, sealKeys.current));
  await rewrap(database, sealKeys);
  return new Authority(parts, await readGenerations(database, sealKeys));
}
