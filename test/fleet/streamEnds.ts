import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const program = join(import.meta.dirname, 'streamEnds.py');

/** A server that pours and one that drops what comes. */
export function serveEnds(sourcePort: number, sinkPort: number) {
  const child = spawn('python3', [program, 'serve', String(sourcePort), String(sinkPort)], { stdio: 'ignore' });
  return {
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    /** False when a port is taken. */
    listening: Promise.all([sourcePort, sinkPort].map((port) => answers(port, () => child.exitCode !== null))).then(
      (both) => both.every(Boolean),
    ),
  };
}

async function answers(port: number, isOver: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 100 && !isOver(); tries++) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return true;
    await Bun.sleep(50);
  }
  return false;
}

/**
 * Reads or writes as fast as a relay gives or takes, in a process that costs less than the relay.
 * @param to port or path of a Unix socket
 * @param request the handshake of a WebSocket; empty for a plain connection
 * @returns MiB/s
 */
export async function rateOf(
  word: 'read' | 'write',
  wish: { to: string; request: string; seconds: number },
): Promise<number> {
  const args = [program, word, wish.to, String(wish.seconds), wish.request];
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (said.trim() === '') throw new Error(`${word} broke: ${complaint.trim().slice(-300)}`);
  return Number(said);
}
