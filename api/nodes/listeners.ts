import { runLoop } from '@lebureau/kit/loop';
import type { NodeAnswerer } from '../app.ts';
import type { ApiConfig } from '../config.ts';
import type { Reach } from '../reach/reach.ts';
import type { Services } from '../services.ts';
import { listenUnix } from './unixListener.ts';

export interface NodeListeners {
  tlsPort: number | undefined;
  close(): Promise<void>;
}

/** Far below the life of a replica’s certificate, and below what a timer can hold. */
const renewEveryMs = 86_400_000;

/** Every listener for nodes that the configuration names. */
export async function listenNodes(
  services: Services,
  answer: NodeAnswerer,
  at: { listen: ApiConfig['nodeListen']; reach: Reach | undefined },
): Promise<NodeListeners> {
  const { listen, reach } = at;
  const unix = listen.socket === undefined ? undefined : await listenUnix(answer, listen.socket);
  const tls = listen.tls === undefined ? undefined : await openTls(services, answer, { ...listen.tls, reach: reach! });
  return {
    tlsPort: tls?.port,
    async close() {
      await Promise.all([unix?.stop(true), tls?.close()]);
    },
  };
}

async function openTls(
  services: Services,
  answer: NodeAnswerer,
  at: NonNullable<ApiConfig['nodeListen']['tls']> & { reach: Reach },
) {
  const { listenTls } = await import('./tlsListener.ts');
  const { clock, log } = services;
  const { reach } = at;
  const listener = await listenTls({
    ...at,
    authority: services.authority!,
    replica: reach.replica.current(),
    answer,
    onTunnel: (...call) => reach.onTunnel(...call),
    onRelay: (socket) => reach.onRelay(socket),
    log,
  });
  reach.replica.follow(() => listener.renew(reach.replica.current()));
  const ending = new AbortController();
  const loop = { name: 'replicaCertificate', clock, log, signal: ending.signal, intervalMs: renewEveryMs };
  const renewing = clock
    .sleep(renewEveryMs, ending.signal)
    .then(() => runLoop({ ...loop, backoffMaxMs: 60_000 }, () => reach.replica.renew()));
  return {
    port: listener.port,
    async close() {
      ending.abort();
      await Promise.all([renewing, listener.close()]);
    },
  };
}
