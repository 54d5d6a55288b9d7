import type { TLSSocket } from 'node:tls';
import { describeError } from '@lebureau/kit/fault';
import { runLoop } from '@lebureau/kit/loop';
import { admitted, isAdmitted } from '../nodes/admission.ts';
import type { Services } from '../services.ts';
import { dialerOf, serveRelay } from './dial.ts';
import { OpenCalls } from './openCalls.ts';
import { type OwnReplica, openOwnReplica } from './ownReplica.ts';
import { forgetTunnels, writeTunnels } from './tunnelRows.ts';
import { Tunnels } from './tunnels.ts';
import { RemoteWays, type Ways, localWays } from './ways.ts';

/** All by which this replica reaches nodes, and nodes and other replicas call it. */
export interface Reach {
  ways: Ways;
  onTunnel(nodeId: string, socket: TLSSocket, serial: string): void;
  onRelay(socket: TLSSocket): void;
  replica: OwnReplica;
  close(): Promise<void>;
}

const tellEveryMs = 10_000;
/** A node that is taken out is cut off from what runs within twice that. */
const cutEveryMs = 1_000;

/** @returns undefined where every node is on this machine */
export async function openReach(services: Services, home: string): Promise<Reach | undefined> {
  const { authority, clock, database, log } = services;
  if (authority === undefined) return undefined;
  const replica = await openOwnReplica(services, authority);
  const replicaId = replica.id;
  const tunnels = new Tunnels(clock);
  const calls = new OpenCalls(services);
  const dialer = dialerOf({ services, tunnels, calls, replicaId, replica: () => replica.current() });
  const ways = new RemoteWays({ home, dialer, log });
  const ending = new AbortController();
  const tell = (nodeIds: readonly string[]) => {
    const own = { replicaId, replicaAddress: services.nodeAddress ?? '', heardMs: clock.nowMs() };
    return nodeIds.length === 0
      ? Promise.resolve()
      : writeTunnels(
          database,
          nodeIds.map((nodeId) => ({ nodeId, ...own })),
        );
  };
  const loop = { name: 'tunnels', clock, log, signal: ending.signal, intervalMs: tellEveryMs, backoffMaxMs: 5_000 };
  const telling = runLoop(loop, async () => {
    for (const { nodeId, serial } of tunnels.serials())
      if (!(await isAdmitted(services, nodeId, serial))) tunnels.dropSerial(serial);
    await tell(tunnels.nodeIds());
  });
  const cutLoop = { ...loop, name: 'openCalls', intervalMs: cutEveryMs, backoffMaxMs: cutEveryMs };
  const cutting = runLoop(cutLoop, async () => {
    const cut = await calls.cutEnded();
    if (cut > 0) log.warn('calls cut', { calls: cut });
  });
  return {
    ways,
    onTunnel(nodeId, socket, serial) {
      admitted(database.read, { kind: 'node', nodeId, serial }, clock.nowMs())
        .then(async () => {
          const isFirst = !tunnels.has(nodeId);
          tunnels.add({ nodeId, serial }, socket);
          if (isFirst) await tell([nodeId]);
        })
        .catch((error: unknown) => {
          log.warn('tunnel refused', { nodeId, error: describeError(error) });
          socket.destroy();
        });
    },
    onRelay: (socket) => void serveRelay(calls, tunnels, socket),
    replica,
    async close() {
      ending.abort();
      tunnels.close();
      await Promise.all([telling, cutting]);
      await ways.close();
      await replica.close();
      await forgetTunnels(database, replicaId).catch(() => {});
    },
  };
}

/** Where there is no reach, all is on this machine. */
export function waysOf(reach: Reach | undefined): Ways {
  return reach?.ways ?? localWays;
}
