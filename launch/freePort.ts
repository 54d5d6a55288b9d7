import { createServer } from 'node:net';

/** @throws Error with the way out when nobody can listen on this port of 127.0.0.1. */
export function requireFreePort(port: number, variable: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => reject(new Error(sentenceOf(error, port, variable))));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

function sentenceOf({ code, message }: NodeJS.ErrnoException, port: number, variable: string): string {
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken on 127.0.0.1. Is Le Bureau running already? Stop what listens there, or choose another with ${variable}=…`;
  return `Port ${port} of 127.0.0.1 cannot be used (${code ?? message}). Choose another with ${variable}=…`;
}
