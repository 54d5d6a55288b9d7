import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { type ServerSocketData, serverSocketHandlers } from '@lebureau/kit/serverSocketEnd';
import { readAssets } from './assets.ts';
import type { GatewayConfig } from './config.ts';
import { Gateway } from './gateway.ts';
import { gatewayParts } from './gatewayParts.ts';

export interface RunningGateway {
  port: number;
  stop(): Promise<void>;
}

const webFolder = join(import.meta.dirname, '..', 'dist');
const idleSeconds = 30;

/** Listens. @throws Error that says what is missing */
export function startGateway(config: GatewayConfig, at: { clock: Clock; log: Log }): RunningGateway {
  if (!existsSync(join(webFolder, 'app.html')))
    throw new Error('The pages of the dashboard are not built: run `npm run build`.');
  const parts = gatewayParts(config, at);
  const gateway = new Gateway(parts, readAssets(webFolder));
  const { hostname, port } = config.listen;
  const server = Bun.serve<ServerSocketData>({
    hostname,
    port,
    ...(config.tls ? { tls: { cert: config.tls.certificate, key: config.tls.key } } : {}),
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: idleSeconds,
    websocket: serverSocketHandlers,
    fetch(request, self) {
      const peer = self.requestIP(request)?.address ?? '';
      const visit = {
        request,
        url: new URL(request.url),
        ipAddress: parts.addresses.of(peer, request.headers),
        mayBeSilent: (seconds = 0) => self.timeout(request, seconds),
      };
      return gateway.answer(visit, self);
    },
  });
  at.log.info('gateway started', { address: config.publicOrigin, listen: `${hostname}:${server.port}` });
  const stop = () => {
    gateway.close();
    return server.stop(true);
  };
  return { port: server.port!, stop };
}
