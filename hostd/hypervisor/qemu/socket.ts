import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';

/** Linux: a descriptor that names a file without opening it, and does not follow a symbolic link. */
const namesOnly = 0o10000000 | constants.O_NOFOLLOW;

export interface SocketOptions {
  clock: Clock;
  /** How long to wait for the socket to appear and accept. */
  timeoutMs: number;
  /**
   * Only a socket made by this uid will do. The folder belongs to an unprivileged QEMU, which could otherwise put
   * a link to a socket of the host in its place and have hostd connect to that with its own rights.
   */
  ownerUid?: number;
  /** Told false when the process behind the socket is gone: waiting is then pointless. */
  alive?: () => boolean;
}

/** Connects to the Unix socket at `path`, waiting for it. @throws Fault `guest_unreachable`. */
export async function connectUnix(path: string, options: SocketOptions): Promise<Socket> {
  const untilMs = options.clock.monotonicMs() + options.timeoutMs;
  for (;;) {
    try {
      return await connectOnce(path, options.ownerUid);
    } catch (error) {
      const over = options.clock.monotonicMs() >= untilMs || options.alive?.() === false;
      if (over || (error as NodeJS.ErrnoException).code === 'EPERM') {
        throw new Fault('guest_unreachable', `no connection to ${path.slice(path.lastIndexOf('/') + 1)}`, {
          cause: error,
        });
      }
      await options.clock.sleep(2);
    }
  }
}

async function connectOnce(path: string, ownerUid: number | undefined): Promise<Socket> {
  const named = openSync(path, namesOnly);
  try {
    const stat = fstatSync(named);
    if (!stat.isSocket() || (ownerUid !== undefined && stat.uid !== ownerUid)) {
      throw Object.assign(new Error('not a socket of this QEMU'), { code: 'EPERM' });
    }
    // Through the descriptor: it cannot be exchanged meanwhile, and the length of the path does not matter.
    return await opened(connect(`/proc/self/fd/${named}`));
  } finally {
    closeSync(named);
  }
}

function opened(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {}); // whoever holds the stream sees `close`
      resolve(socket);
    });
  });
}
