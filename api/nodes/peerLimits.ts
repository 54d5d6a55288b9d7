import type { Peer } from './peer.ts';

/** hostd keeps a handful; what is beyond is no hostd of ours. */
const connectionsMax = 128;
const requestsMax = 64;
/** hostd sends its reports one after the other, the largest of 4 MiB. */
const bodyBytesMax = 33_554_432;

interface Use {
  connections: number;
  requests: number;
  bodyBytes: number;
}

const limits: Readonly<Use> = { connections: connectionsMax, requests: requestsMax, bodyBytes: bodyBytesMax };

/**
 * What one node holds of a listener that all share: a node that went wrong, or was taken over, keeps nobody else out.
 * Tunnels are counted where they wait.
 */
export class PeerLimits {
  readonly #used = new Map<string, Use>();

  /** @returns whether the node may have so much more; what it got has to be given back */
  take(peer: Peer, what: keyof Use, count = 1): boolean {
    if (peer.kind !== 'node') return true;
    const use = this.#used.get(peer.nodeId) ?? { connections: 0, requests: 0, bodyBytes: 0 };
    if (use[what] + count > limits[what]) return false;
    use[what] += count;
    this.#used.set(peer.nodeId, use);
    return true;
  }

  giveBack(peer: Peer, what: keyof Use, count = 1): void {
    if (peer.kind !== 'node') return;
    const use = this.#used.get(peer.nodeId);
    if (use === undefined) return;
    use[what] -= count;
    if (use.connections + use.requests + use.bodyBytes === 0) this.#used.delete(peer.nodeId);
  }
}
