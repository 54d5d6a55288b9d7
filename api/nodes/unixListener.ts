import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { NodeAnswerer } from '../app.ts';

/** A socket that only its owner may open takes the place of mutual authentication. */
export async function listenUnix(answer: NodeAnswerer, path: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  if (existsSync(path)) {
    if (await answers(path)) throw new Error(`Another API listens on ${path}. Stop it first.`);
    unlinkSync(path);
  }
  // Made where only its owner comes in, and moved once its mode is set.
  const folder = mkdtempSync(`${path}-`);
  const made = join(folder, 'socket');
  // The types do not know it, but a Unix socket has an idle limit too, and ten seconds would cut the long poll.
  const idleLimit: object = { idleTimeout: 120 };
  const server = Bun.serve({
    unix: made,
    maxRequestBodySize: 8_388_608,
    fetch: (request) => answer(request, { kind: 'local' }),
    ...idleLimit,
  });
  chmodSync(made, 0o600);
  renameSync(made, path);
  rmSync(folder, { recursive: true });
  return server;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
