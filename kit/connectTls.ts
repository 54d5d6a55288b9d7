import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls';

/** A TLS connection whose handshake is over. @throws Error when it fails or takes longer than `limitMs` */
export function connectTls(options: ConnectionOptions, limitMs: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ minVersion: 'TLSv1.3', ...options });
    const timer = setTimeout(() => fail(new Error(`No TLS connection within ${limitMs} ms.`)), limitMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const closed = () => fail(new Error('The connection was closed during its handshake.'));
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.off('close', closed);
      // Whoever takes it adds a listener of its own; until then an error only closes it.
      socket.on('error', () => socket.destroy());
      socket.setKeepAlive(true, 15_000);
      resolve(socket);
    });
  });
}

/** `https://host:port` as host and port. */
export function hostOf(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(address);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) };
}
