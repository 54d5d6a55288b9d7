import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connectTls, hostOf } from '@lebureau/kit/connectTls';
import { readExactly } from '@lebureau/kit/readExactly';
import { splice } from '@lebureau/kit/splice';
import { ready, relayWord } from '@lebureau/kit/tunnelWords';
import type { Services } from '../services.ts';
import type { KeyAndCertificate } from '../nodes/certificates.ts';
import { peerOf, replicaName } from '../nodes/peer.ts';
import type { OpenCalls } from './openCalls.ts';
import { replicaFor } from './tunnelRows.ts';
import type { Tunnels } from './tunnels.ts';

const connectLimitMs = 5_000;
const relayLimitMs = 10_000;
const nodeIdBytes = 30;

export interface Dialer {
  /** A connection to hostd of this node, over which the guest contract is spoken. @throws Error */
  dial(nodeId: string, guestAddress: string): Promise<Duplex>;
}

/** Picks the way to a node of another machine: its own address, a tunnel here, or the replica that holds its tunnel. */
export function dialerOf(at: {
  services: Services;
  tunnels: Tunnels;
  calls: OpenCalls;
  replicaId: string;
  replica: () => KeyAndCertificate;
}): Dialer {
  const { services, tunnels, calls, replicaId } = at;
  const authority = services.authority!;
  const ours = () => ({ cert: at.replica().certificatePem, key: at.replica().privateKeyPem });
  return {
    async dial(nodeId, guestAddress) {
      if (guestAddress !== 'tunnel:') {
        const to = { ...hostOf(guestAddress), ca: authority.nodesPems, ...ours() };
        const node = await connectTls({ ...to, checkServerIdentity: mustBe(nodeId) }, connectLimitMs);
        return demandAdmitted(calls, nodeId, node);
      }
      if (tunnels.has(nodeId)) return tunnels.take(nodeId, calls);
      const wish = { nodeId, ownId: replicaId, nowMs: services.clock.nowMs() };
      const address = await replicaFor(services.database, wish);
      // A tunnel that broke just now is made again within moments.
      if (address === undefined) return tunnels.take(nodeId, calls);
      const to = { ...hostOf(address), servername: replicaName, ca: authority.replicasPems, ...ours() };
      try {
        const socket = await connectTls({ ...to, ALPNProtocols: [relayWord] }, connectLimitMs);
        return await askRelay(socket, nodeId);
      } catch {
        // That replica has just died or lost the tunnel; within moments the node may be here.
        return tunnels.take(nodeId, calls);
      }
    },
  };
}

/** Another replica wants to reach a node whose tunnel is here. */
export async function serveRelay(calls: OpenCalls, tunnels: Tunnels, socket: TLSSocket): Promise<void> {
  try {
    const nodeId = (await readExactly(socket, nodeIdBytes, connectLimitMs)).toString('latin1');
    const tunnel = await tunnels.take(nodeId, calls);
    socket.write(Buffer.of(ready));
    await splice(socket, tunnel);
  } catch {
    socket.destroy();
  }
}

/** The chain and the name are right; this says that the certificate was not replaced or revoked since. */
async function demandAdmitted(calls: OpenCalls, nodeId: string, socket: TLSSocket): Promise<TLSSocket> {
  const peer = peerOf(socket.getPeerCertificate());
  if (peer?.kind === 'node' && peer.nodeId === nodeId && (await calls.begin(peer, socket))) return socket;
  socket.destroy();
  throw new Error(`That is no longer ${nodeId}.`);
}

async function askRelay(socket: TLSSocket, nodeId: string): Promise<TLSSocket> {
  try {
    socket.write(nodeId);
    await readExactly(socket, 1, relayLimitMs);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** The chain was verified; this says whether it is the one that was meant. */
function mustBe(name: string) {
  return (_host: string, certificate: { subject?: { CN?: unknown } }) =>
    certificate.subject?.CN === name ? undefined : new Error(`That is not ${name}.`);
}
