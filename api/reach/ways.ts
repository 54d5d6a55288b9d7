import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type Server, type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import { Fault, describeError } from '@lebureau/kit/fault';
import { idBody } from '@lebureau/kit/id';
import type { Log } from '@lebureau/kit/log';
import { splice } from '@lebureau/kit/splice';
import type { Dialer } from './dial.ts';

/** How the guest contract of a node is reached. */
export interface Ways {
  /** A Unix socket behind which hostd of this node serves it. @throws Fault `node_unreachable` */
  socketOf(node: { nodeId: string; guestAddress: string }): Promise<string>;
}

/** Where every node is on this machine. */
export const localWays: Ways = {
  socketOf: ({ guestAddress }) => Promise.resolve(localSocket(guestAddress) ?? unreachable()),
};

interface Door {
  path: string;
  server: Server;
  guestAddress: string;
}

/**
 * One Unix socket of our own for each node of another machine. What connects to it is joined with a connection to that
 * node, byte by byte and only as fast as both sides take it: the calls themselves know nothing of the way.
 */
export class RemoteWays implements Ways {
  readonly #folder: string;
  readonly #dialer: Dialer;
  readonly #log: Log;
  readonly #doors = new Map<string, Promise<Door>>();
  readonly #open = new Set<Socket>();

  constructor(at: { home: string; dialer: Dialer; log: Log }) {
    const run = join(at.home, 'run');
    mkdirSync(run, { recursive: true, mode: 0o711 });
    this.#folder = mkdtempSync(join(run, 'ways-'));
    this.#dialer = at.dialer;
    this.#log = at.log;
  }

  async socketOf(node: { nodeId: string; guestAddress: string }): Promise<string> {
    const local = localSocket(node.guestAddress);
    if (local !== undefined) return local;
    let door = this.#doors.get(node.nodeId);
    if (door === undefined) {
      door = this.#openDoor(node);
      this.#doors.set(node.nodeId, door);
      door.catch(() => this.#doors.delete(node.nodeId));
    }
    const opened = await door;
    opened.guestAddress = node.guestAddress;
    return opened.path;
  }

  async close(): Promise<void> {
    for (const door of this.#doors.values()) (await door).server.close();
    for (const socket of this.#open) socket.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #openDoor(node: { nodeId: string; guestAddress: string }): Promise<Door> {
    const path = join(this.#folder, idBody(node.nodeId));
    const server = createServer((socket) => void this.#carry(socket, node.nodeId, door));
    const door: Door = { path, server, guestAddress: node.guestAddress };
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return door;
  }

  async #carry(socket: Socket, nodeId: string, door: Door): Promise<void> {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
    socket.pause();
    try {
      const remote = await this.#dialer.dial(nodeId, door.guestAddress);
      if (socket.destroyed) remote.destroy();
      else await splice(socket, remote);
    } catch (error) {
      this.#log.warn('node not reached', { nodeId, guestAddress: door.guestAddress, error: describeError(error) });
      socket.end(refusal);
      socket.resume();
    }
  }
}

/** Nothing was sent to the node: the caller may try again. */
const problem = JSON.stringify({ code: 'node_unreachable', detail: 'The node cannot be reached.' });
const refusal = [
  'HTTP/1.1 503 Service Unavailable',
  'Content-Type: application/problem+json',
  `Content-Length: ${problem.length}`,
  'Retry-After: 2',
  'Connection: close',
  '',
  problem,
].join('\r\n');

function localSocket(guestAddress: string): string | undefined {
  return guestAddress.startsWith('unix:') ? guestAddress.slice(5) : undefined;
}

function unreachable(): never {
  throw new Fault('node_unreachable', 'This API has no way to nodes of other machines.', {
    hint: 'Set LEBUREAU_NODE_LISTEN=unix:/…,tls:address:port and start it again.',
  });
}
