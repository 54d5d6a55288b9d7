import type { Duplex } from 'node:stream';
import type { Services } from '../services.ts';
import { isAdmitted } from '../nodes/admission.ts';

export interface NodeCertificate {
  nodeId: string;
  serial: string;
}

interface OpenCall extends NodeCertificate {
  /** When the node was fenced last before this call began. */
  fencedMs: number | null;
  socket: Duplex;
}

/** Calls a replica can hold open to nodes that joined, each with a connection of its own. */
const callsMax = 16_384;
/** Certificates asked about in one statement. */
const batchMax = 500;

/**
 * Connections to nodes that are in use. Whether a certificate counts is asked when a call begins and again every second
 * while it runs: a call may run for minutes, and a node that was taken out must not go on hearing what was meant for it.
 */
export class OpenCalls {
  readonly #services: Pick<Services, 'database' | 'clock'>;
  readonly #open = new Set<OpenCall>();

  constructor(services: Pick<Services, 'database' | 'clock'>) {
    this.#services = services;
  }

  /**
   * Whether a call may begin on this connection, which is closed otherwise. From then on it is cut when the node is taken out.
   * @throws when the database cannot be asked
   */
  async begin(certificate: NodeCertificate, socket: Duplex): Promise<boolean> {
    try {
      if (await this.#admit(certificate, socket)) return true;
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.destroy();
    return false;
  }

  async #admit({ nodeId, serial }: NodeCertificate, socket: Duplex): Promise<boolean> {
    if (this.#open.size >= callsMax) return false;
    const node = await this.#services.database.read
      .selectFrom('nodes')
      .select('fencedMs')
      .where('id', '=', nodeId)
      .executeTakeFirst();
    // After the fence was read: one that comes in between is seen by the next look.
    if (node === undefined || !(await isAdmitted(this.#services, nodeId, serial)) || socket.destroyed) return false;
    const call = { nodeId, serial, fencedMs: node.fencedMs, socket };
    this.#open.add(call);
    socket.once('close', () => this.#open.delete(call));
    return true;
  }

  /** Ends calls to nodes that were decommissioned or fenced since, and those with a certificate that was revoked. */
  async cutEnded(): Promise<number> {
    const asked = [...this.#open];
    const serials = [...new Set(asked.map((call) => call.serial))];
    const standing = new Map<string, Standing>();
    for (let at = 0; at < serials.length; at += batchMax)
      for (const row of await this.#lookUp(serials.slice(at, at + batchMax))) standing.set(row.serial, row);
    const ended = asked.filter((call) => !mayGoOn(call, standing.get(call.serial)));
    for (const { socket } of ended) socket.destroy();
    return ended.length;
  }

  #lookUp(serials: readonly string[]): Promise<Standing[]> {
    return this.#services.database.read
      .selectFrom('nodeCertificates')
      .innerJoin('nodes', 'nodes.id', 'nodeCertificates.nodeId')
      .select([
        'nodeCertificates.serial',
        'nodeCertificates.nodeId',
        'nodeCertificates.revokedMs',
        'nodeCertificates.replacedMs',
        'nodes.fencedMs',
        'nodes.decommissionedMs',
      ])
      .where('nodeCertificates.serial', 'in', serials)
      .execute();
  }
}

interface Standing extends NodeCertificate {
  revokedMs: number | null;
  replacedMs: number | null;
  fencedMs: number | null;
  decommissionedMs: number | null;
}

/** A certificate that a newer one replaced, or that expired, is good for the calls that began with it. */
function mayGoOn(call: OpenCall, now: Standing | undefined): boolean {
  if (now === undefined || now.nodeId !== call.nodeId) return false;
  const isRevoked = now.revokedMs !== null && now.replacedMs === null;
  if (isRevoked || now.decommissionedMs !== null) return false;
  return now.fencedMs === null || now.fencedMs === call.fencedMs;
}
