import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Server } from 'bun';
import { makeCertificates } from '../pve/certificate.ts';

export interface ClientDocument {
  /** Which is also the client_id. */
  url: string;
  /** File with the authority of its certificate. */
  caPath: string;
  /** How often it was asked for. */
  asked(): number;
  close(): Promise<void>;
}

/** A client's own metadata, over https on this machine. */
export function startClientDocument(folder: string, metadata: object): ClientDocument {
  const { ca, certificate, key } = makeCertificates('localhost');
  const caPath = join(folder, 'client-document-ca.pem');
  writeFileSync(caPath, ca);
  let asked = 0;
  let url = '';
  const server: Server<undefined> = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: { cert: certificate, key },
    fetch: () => {
      asked += 1;
      return Response.json({ client_id: url, ...metadata });
    },
  });
  url = `https://localhost:${server.port}/client.json`;
  return { url, caPath, asked: () => asked, close: () => server.stop(true) };
}
