import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Where the API listens and why its certificate is believed. */
export interface PveEndpoint {
  /** `https://host:8006`; `http://` only on loopback, for tests. */
  url: string;
  /** PEM of the authority that signed the node's certificate (`/etc/pve/pve-root-ca.pem`). */
  ca?: string;
  /** SHA-256 of the node's own certificate, `AA:BB:…`: believed whoever signed it, and nothing else is. */
  fingerprint?: string;
}

/**
 * A connection on which the other side has proved who it is: nothing is sent before. `fetch` cannot do that, because Bun
 * asks nobody about a certificate whose chain it could not verify.
 */
export function connectPve(endpoint: PveEndpoint): Promise<Socket> {
  const { hostname, port, protocol } = new URL(endpoint.url);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  if (protocol === 'http:') return opened(connectPlain({ host, port: Number(port || 80) }), 'connect');
  const pinned = endpoint.fingerprint?.toUpperCase();
  const socket = connectTls({
    host,
    port: Number(port || 443),
    ca: endpoint.ca,
    rejectUnauthorized: pinned === undefined,
    ...(isAddress(host) ? {} : { servername: host }),
  });
  return opened(socket, 'secureConnect', () => {
    const shown = socket.getPeerCertificate().fingerprint256;
    if (pinned !== undefined && shown !== pinned)
      throw new Error(`the certificate's fingerprint is ${shown}, not the one that is configured`);
  });
}

function opened<Kind extends Socket>(socket: Kind, event: string, check: () => void = () => {}): Promise<Kind> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection closed before it was open')));
    socket.once(event, () => {
      try {
        check();
      } catch (error) {
        socket.destroy();
        return reject(error as Error);
      }
      socket.off('error', reject);
      socket.on('error', () => {}); // whoever holds the stream sees `close`
      resolve(socket);
    });
  });
}

function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}
