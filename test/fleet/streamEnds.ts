import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const program = join(import.meta.dirname, 'streamEnds.py');

/** A server that pours, one that drops what comes, and one that says how much that was. */
export interface StreamEnds {
  /** Port of the last. */
  countPort: number;
  close(): void;
}

/** @returns undefined when one of the ports is taken */
export async function serveEnds(ports: {
  source: number;
  sink: number;
  count: number;
}): Promise<StreamEnds | undefined> {
  const args = [program, 'serve', ...[ports.source, ports.sink, ports.count].map(String)];
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const isReady = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  return isReady ? { countPort: ports.count, close: () => void child.kill('SIGKILL') } : undefined;
}

/**
 * Reads or writes as fast as a relay gives or takes, in a process that costs less than the relay.
 * @param to port or path of a Unix socket
 * @param request the handshake of a WebSocket; empty for a plain connection
 * @returns MiB/s, as the last one in the row gets them
 */
export async function rateOf(
  word: 'read' | 'write',
  wish: { to: string; request: string; seconds: number; countPort: number },
): Promise<number> {
  const args = [program, word, wish.to, String(wish.seconds), wish.request, String(wish.countPort)];
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (said.trim() === '') throw new Error(`${word} broke: ${complaint.trim().slice(-300)}`);
  return Number(said);
}
