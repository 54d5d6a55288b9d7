import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { connectPlain, type PlainSocket } from '../plainSocket.ts';

/** A connection over a real Unix socket, and its other side, which takes nothing until it is resumed. Both end with the test. */
export async function connectedPair(
  options = { allowHalfOpen: false },
): Promise<{ socket: PlainSocket; peer: Socket }> {
  const path = join(mkdtempSync(join(tmpdir(), 'lb-pair-')), 'server');
  const server = createServer({ ...options, pauseOnConnect: true });
  const arriving = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const socket = await connectPlain({ path }, 2_000);
  const peer = await arriving;
  peer.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  return { socket, peer };
}
