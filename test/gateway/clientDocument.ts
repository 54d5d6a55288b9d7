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
  /** What its host answers from now on; left out: the document. */
  answerWith(answer?: (document: object) => Response): void;
  /** Nobody listens there any more … */
  close(): Promise<void>;
  /** … and again. */
  open(): void;
}

/** A client's own metadata, over https on this machine. */
export function startClientDocument(folder: string, metadata: object): ClientDocument {
  const { ca, certificate, key } = makeCertificates('localhost');
  const caPath = join(folder, 'client-document-ca.pem');
  writeFileSync(caPath, ca);
  let asked = 0;
  let url = '';
  let answer = (document: object) => Response.json(document);
  const listen = (port: number): Server<undefined> =>
    Bun.serve({
      hostname: '127.0.0.1',
      port,
      tls: { cert: certificate, key },
      fetch: () => {
        asked += 1;
        return answer({ client_id: url, ...metadata });
      },
    });
  let server = listen(0);
  const port = server.port!;
  url = `https://localhost:${port}/client.json`;
  return {
    url,
    caPath,
    asked: () => asked,
    answerWith: (how = (document) => Response.json(document)) => void (answer = how),
    close: () => server.stop(true),
    open: () => void (server = listen(port)),
  };
}
