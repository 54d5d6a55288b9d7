import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { splice } from '@lebureau/kit/splice';
import { type NodeIdentity, apiServerName } from '../nodeIdentity.ts';

export interface TlsDoorOptions {
  listen: { hostname: string; port: number };
  identity: NodeIdentity;
  /** The Unix socket of the guest contract behind it. */
  guestSocket: string;
  log: Log;
  /** How long a handshake may take; ten seconds when left out. */
  handshakeTimeoutMs?: number;
}

export interface TlsDoor {
  port: number;
  renew(identity: NodeIdentity): void;
  close(): Promise<void>;
}

const connectionsMax = 1024;
const handshakeTimeoutMsDefault = 10_000;

/** The guest contract for the API on another machine. Only what the authority of the API has certified comes in. */
export async function openTlsDoor(options: TlsDoorOptions): Promise<TlsDoor> {
  const open = new Set<{ destroy(): void }>();
  const { handshakeTimeoutMs: handshakeTimeout = handshakeTimeoutMsDefault } = options;
  const server = createServer(
    { ...contextOf(options.identity), requestCert: true, rejectUnauthorized: true, handshakeTimeout },
    (socket) => {
      socket.on('error', () => socket.destroy());
      if (!socket.authorized || socket.getPeerCertificate().subject.CN !== apiServerName) return void socket.destroy();
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      const guests = connect(options.guestSocket);
      guests.on('error', () => socket.destroy());
      void splice(socket, guests);
    },
  );
  server.maxConnections = connectionsMax;
  // Those in the middle of a handshake, too: the runtime tells of one that takes too long and leaves it open.
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('tlsClientError', (error, socket) => {
    socket?.destroy();
    options.log.warn('guest call refused', { error: describeError(error) });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen.port, options.listen.hostname, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.listen.port,
    renew: (identity) => server.setSecureContext(contextOf(identity)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function contextOf(identity: NodeIdentity) {
  return {
    key: identity.privateKey,
    cert: identity.certificate,
    ca: identity.authority,
    minVersion: 'TLSv1.3' as const,
  };
}
