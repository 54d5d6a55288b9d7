import type { TLSSocket } from 'node:tls';
import type { Clock } from '@lebureau/kit/clock';
import { readExactly } from '@lebureau/kit/readExactly';
import { go, ping, pingEveryMs, ready, waitingSilentMs } from '@lebureau/kit/tunnelWords';
import type { NodeCertificate, OpenCalls } from './openCalls.ts';

const takeLimitMs = 3_000;
const waitLimitMs = 5_000;
const waitingMax = 64;

interface Waiting {
  /** Of the certificate with which it came. */
  serial: string;
  socket: TLSSocket;
  heardMs: number;
  hear: (bytes: Buffer) => void;
}

/** Connections that nodes without an address keep open to this replica, each waiting to be used for one call. */
export class Tunnels {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #wanted = new Map<string, Set<() => void>>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = setInterval(() => this.#pingAll(), pingEveryMs);
    this.#timer.unref();
  }

  /** Nodes that have called this replica and can be reached over it. */
  nodeIds(): string[] {
    return [...this.#waiting.keys()];
  }

  has(nodeId: string): boolean {
    return this.#waiting.has(nodeId);
  }

  /** The certificates that are waited with. */
  serials(): NodeCertificate[] {
    const all = [...this.#waiting].flatMap(([nodeId, waiting]) => waiting.map(({ serial }) => ({ nodeId, serial })));
    return [...new Map(all.map((each) => [each.serial, each])).values()];
  }

  add(node: NodeCertificate, socket: TLSSocket): void {
    const { nodeId, serial } = node;
    // It may have closed while its certificate was looked up.
    if (socket.destroyed) return;
    // Of too many the oldest goes: whoever filled the room first must not keep the others out.
    while ((this.#waiting.get(nodeId)?.length ?? 0) >= waitingMax) this.#end(nodeId, this.#waiting.get(nodeId)![0]!);
    const one: Waiting = {
      serial,
      socket,
      heardMs: this.#clock.monotonicMs(),
      hear: (bytes) => {
        if (bytes.some((byte) => byte !== ping)) socket.destroy();
        one.heardMs = this.#clock.monotonicMs();
      },
    };
    socket.setKeepAlive(true, pingEveryMs);
    socket.on('data', one.hear);
    socket.once('close', () => this.#remove(nodeId, one));
    this.#waiting.set(nodeId, [...(this.#waiting.get(nodeId) ?? []), one]);
    // The node counts it as good from here on.
    socket.write(Buffer.of(ping));
    for (const wake of this.#wanted.get(nodeId) ?? []) wake();
  }

  /** A connection of this node behind which its guests answer. @throws Error when there is none in time */
  async take(nodeId: string, calls: OpenCalls): Promise<TLSSocket> {
    const endMs = this.#clock.monotonicMs() + waitLimitMs;
    for (;;) {
      const one = this.#waiting.get(nodeId)?.at(-1);
      if (one === undefined) {
        const leftMs = endMs - this.#clock.monotonicMs();
        if (leftMs <= 0) throw new Error('No tunnel of this node is free.');
        await this.#next(nodeId, leftMs);
        continue;
      }
      this.#remove(nodeId, one);
      const { socket } = one;
      socket.off('data', one.hear);
      if (!(await calls.begin({ nodeId, serial: one.serial }, socket))) continue;
      try {
        await askToGo(socket);
        return socket;
      } catch {
        socket.destroy();
      }
    }
  }

  /** Ends every connection that came with a certificate which is no longer good. */
  dropSerial(serial: string): void {
    for (const [nodeId, waiting] of this.#waiting)
      for (const one of waiting.filter((each) => each.serial === serial)) this.#end(nodeId, one);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { serial } of this.serials()) this.dropSerial(serial);
  }

  #next(nodeId: string, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wanted = this.#wanted.get(nodeId) ?? new Set();
      this.#wanted.set(nodeId, wanted);
      const end = () => {
        clearTimeout(timer);
        wanted.delete(end);
        if (wanted.size === 0) this.#wanted.delete(nodeId);
        resolve();
      };
      const timer = setTimeout(end, limitMs);
      wanted.add(end);
    });
  }

  #end(nodeId: string, one: Waiting): void {
    this.#remove(nodeId, one);
    one.socket.destroy();
  }

  #remove(nodeId: string, one: Waiting): void {
    const left = (this.#waiting.get(nodeId) ?? []).filter((each) => each !== one);
    if (left.length > 0) this.#waiting.set(nodeId, left);
    else this.#waiting.delete(nodeId);
  }

  #pingAll(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { socket, heardMs } of [...this.#waiting.values()].flat()) {
      if (nowMs - heardMs > waitingSilentMs) socket.destroy();
      else socket.write(Buffer.of(ping));
    }
  }
}

/** A ping may still be on its way back. */
async function askToGo(socket: TLSSocket): Promise<void> {
  socket.write(Buffer.of(go));
  for (;;) {
    const [byte] = await readExactly(socket, 1, takeLimitMs);
    if (byte === ready) return;
    if (byte !== ping) throw new Error('The node answered something else.');
  }
}
