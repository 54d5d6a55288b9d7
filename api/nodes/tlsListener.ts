import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttp } from 'node:http';
import { type TLSSocket, createServer as createTls } from 'node:tls';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { relayWord, tunnelWord } from '@lebureau/kit/tunnelWords';
import type { Authority } from './authority.ts';
import type { KeyAndCertificate } from './certificates.ts';
import { type Peer, peerOf } from './peer.ts';
import { PeerLimits } from './peerLimits.ts';

/** What a connection is for, agreed upon in the handshake (ALPN). */
const wordOf = { contract: 'http/1.1', tunnel: tunnelWord, relay: relayWord } as const;

export interface TlsListenerOptions {
  hostname: string;
  port: number;
  authority: Authority;
  replica: KeyAndCertificate;
  answer: (request: Request, peer: Peer) => Response | Promise<Response>;
  /** Takes over a connection on which a node waits to be reached. */
  onTunnel: (nodeId: string, socket: TLSSocket, serial: string) => void;
  /** Takes over a connection by which another replica wants to reach a node. */
  onRelay: (socket: TLSSocket) => void;
  log: Log;
  /** How long a handshake may take; ten seconds when left out. */
  handshakeTimeoutMs?: number;
}

export interface TlsListener {
  port: number;
  /** From now on this replica shows another certificate. */
  renew(replica: KeyAndCertificate): void;
  close(): Promise<void>;
}

const bodyMaxBytes = 8_388_608;
const handshakeTimeoutMsDefault = 10_000;
/** Above the longest wait of a long poll. */
const silentTimeoutMs = 120_000;
/** Whoever has no certificate can only join, and needs a moment for it. */
const strangersMax = 100;
const strangerBodyMaxBytes = 32_768;
/** Well above the tunnels and calls of many nodes. */
const connectionsMax = 16_384;
const strangerTimeoutMs = 20_000;

/**
 * The node contract over TLS with certificates on both sides. The handshake says who it is (`peer.ts`); HTTP over Bun's
 * own server would not tell the certificate, so the connection is taken here and given to an HTTP server behind it.
 */
export async function listenTls(options: TlsListenerOptions): Promise<TlsListener> {
  const peers = new WeakMap<object, Peer>();
  const open = new Set<TLSSocket>();
  let strangers = 0;
  const held = new PeerLimits();
  const http = createHttp((request, response) => {
    void serve({ ...options, held }, { request, response }, peers.get(request.socket));
  });
  Object.assign(http, { keepAliveTimeout: silentTimeoutMs, requestTimeout: silentTimeoutMs });
  const server = createTls(
    {
      ...contextOf(options.authority, options.replica),
      requestCert: true,
      // One without a certificate may join and nothing else; one with a wrong certificate is cut off below.
      rejectUnauthorized: false,
      ALPNProtocols: Object.values(wordOf),
      handshakeTimeout: options.handshakeTimeoutMs ?? handshakeTimeoutMsDefault,
    },
    (socket) => {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
      const peer = identify(socket);
      if (peer === undefined) return void socket.destroy();
      if (peer.kind === 'stranger') {
        if (strangers >= strangersMax) return void socket.destroy();
        strangers += 1;
        const timer = setTimeout(() => socket.destroy(), strangerTimeoutMs);
        socket.on('close', () => {
          strangers -= 1;
          clearTimeout(timer);
        });
      }
      if (takenOver(options, socket, peer)) return;
      if (!held.take(peer, 'connections')) return void socket.destroy();
      socket.on('close', () => held.giveBack(peer, 'connections'));
      peers.set(socket, peer);
      http.emit('connection', socket);
    },
  );
  server.maxConnections = connectionsMax;
  // The runtime tells of a handshake that took too long and leaves its connection open.
  server.on('tlsClientError', (error, socket) => {
    socket?.destroy();
    options.log.debug('node handshake failed', { error: describeError(error) });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.hostname, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    renew: (replica) => server.setSecureContext(contextOf(options.authority, replica)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function contextOf(authority: Authority, replica: KeyAndCertificate) {
  return {
    key: replica.privateKeyPem,
    cert: replica.certificatePem,
    ca: authority.trusted,
    minVersion: 'TLSv1.3' as const,
  };
}

function identify(socket: TLSSocket): Peer | undefined {
  const certificate = socket.getPeerCertificate();
  if (certificate === null || Object.keys(certificate ?? {}).length === 0) return { kind: 'stranger' };
  return socket.authorized ? peerOf(certificate) : undefined;
}

/** @returns false for a connection on which HTTP is spoken */
function takenOver(options: TlsListenerOptions, socket: TLSSocket, peer: Peer): boolean {
  switch (socket.alpnProtocol) {
    case wordOf.tunnel:
      if (peer.kind === 'node') options.onTunnel(peer.nodeId, socket, peer.serial);
      else socket.destroy();
      return true;
    case wordOf.relay:
      if (peer.kind === 'replica') options.onRelay(socket);
      else socket.destroy();
      return true;
    default:
      return false;
  }
}

async function serve(
  options: TlsListenerOptions & { held: PeerLimits },
  at: { request: IncomingMessage; response: ServerResponse },
  peer: Peer | undefined,
): Promise<void> {
  const { response: outgoing } = at;
  if (peer === undefined) return void outgoing.writeHead(400).end();
  if (!options.held.take(peer, 'requests')) return void outgoing.writeHead(429, { 'retry-after': '1' }).end();
  const left = new AbortController();
  outgoing.on('close', () => left.abort());
  try {
    await answerOne(options, { ...at, signal: left.signal }, peer);
  } catch (error) {
    if (!left.signal.aborted) options.log.warn('node request broke', { error: describeError(error) });
    outgoing.destroy();
  } finally {
    options.held.giveBack(peer, 'requests');
  }
}

async function answerOne(
  options: TlsListenerOptions & { held: PeerLimits },
  at: { request: IncomingMessage; response: ServerResponse; signal: AbortSignal },
  peer: Peer,
): Promise<void> {
  const { request: incoming, response: outgoing, signal } = at;
  const body = await bodyOf(incoming, peer, options.held);
  if (body === 'too large') return void outgoing.writeHead(413).end();
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  const request = new Request(`https://node-listener${incoming.url ?? '/'}`, {
    method: incoming.method,
    headers,
    ...(body.length === 0 ? {} : { body }),
    signal,
  });
  const answer = await options.answer(request, peer);
  // Few may come without a certificate at a time, so none stays longer than it needs.
  if (peer.kind === 'stranger') answer.headers.set('connection', 'close');
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
}

async function bodyOf(
  incoming: IncomingMessage,
  peer: Peer,
  held: PeerLimits,
): Promise<Buffer<ArrayBuffer> | 'too large'> {
  const maxBytes = peer.kind === 'stranger' ? strangerBodyMaxBytes : bodyMaxBytes;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      if (size + chunk.length > maxBytes || !held.take(peer, 'bodyBytes', chunk.length)) return 'too large';
      size += chunk.length;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    held.giveBack(peer, 'bodyBytes', size);
  }
}
