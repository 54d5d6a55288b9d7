import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@lebureau/kit/clock';
import { connectTls, hostOf } from '@lebureau/kit/connectTls';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { backoffMs } from '@lebureau/kit/loop';
import { splice } from '@lebureau/kit/splice';
import { go, ping, ready, tunnelWord, waitingSilentMs } from '@lebureau/kit/tunnelWords';
import type { ApiAddresses } from '../apiAddresses.ts';
import { type NodeIdentity, tlsTowardsApi } from '../nodeIdentity.ts';

export interface TunnelOptions {
  identity: () => NodeIdentity;
  addresses: ApiAddresses;
  /** The Unix socket of the guest contract behind it. */
  guestSocket: string;
  clock: Clock;
  log: Log;
}

const waitingMin = 4;
const waitingMax = 32;
const connectLimitMs = 10_000;
const guestLimitMs = 3_000;
const backoffMaxMs = 10_000;

/**
 * For a node that cannot be called: connections to the API that wait to be used by it. One call takes one connection, so
 * each has the flow control of TCP and none stands in the way of another. As many wait as are in use, within limits.
 */
export class Tunnel {
  readonly #options: TunnelOptions;
  readonly #over = new AbortController();
  readonly #open = new Set<TLSSocket>();
  #waiting = 0;
  #dialing = 0;
  #failures = 0;
  #pausing = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#fill();
  }

  /** Connections that wait to be used. */
  get waiting(): number {
    return this.#waiting;
  }

  close(): void {
    this.#over.abort();
    for (const socket of this.#open) socket.destroy();
  }

  #fill(): void {
    if (this.#pausing) return;
    const wanted = Math.min(waitingMax, Math.max(waitingMin, this.#open.size - this.#waiting));
    while (!this.#over.signal.aborted && !this.#pausing && this.#waiting + this.#dialing < wanted) void this.#dial();
  }

  async #dial(): Promise<void> {
    this.#dialing += 1;
    const address = this.#options.addresses.current;
    try {
      const identity = this.#options.identity();
      const to = { ...hostOf(address), ALPNProtocols: [tunnelWord] };
      const socket = await connectTls({ ...to, ...tlsTowardsApi(identity) }, connectLimitMs);
      if (socket.alpnProtocol !== tunnelWord || this.#over.signal.aborted) {
        socket.destroy();
        throw new Error('The API takes no tunnels.');
      }
      this.#wait(socket);
    } catch (error) {
      if (!this.#over.signal.aborted) this.#options.addresses.failed(address);
      await this.#rest(error);
    } finally {
      this.#dialing -= 1;
    }
    this.#fill();
  }

  /** One pause for all that fail at once. */
  async #rest(error: unknown): Promise<void> {
    if (this.#pausing || this.#over.signal.aborted) return;
    this.#pausing = true;
    this.#failures += 1;
    if (this.#failures === 1 || this.#failures % 20 === 0)
      this.#options.log.warn('tunnel not made', { failures: this.#failures, error: describeError(error) });
    await this.#options.clock.sleep(backoffMs(this.#failures, backoffMaxMs), this.#over.signal);
    this.#pausing = false;
  }

  #wait(socket: TLSSocket): void {
    this.#open.add(socket);
    this.#waiting += 1;
    let heardMs = this.#options.clock.monotonicMs();
    let waits = true;
    const leave = () => {
      if (!waits) return;
      waits = false;
      this.#waiting -= 1;
      clearInterval(watch);
      socket.off('data', hear);
    };
    const hear = (bytes: Buffer) => {
      heardMs = this.#options.clock.monotonicMs();
      this.#failures = 0;
      if (bytes.includes(go)) {
        leave();
        socket.pause();
        this.#use(socket);
        this.#fill();
      } else if (bytes[0] === ping) socket.write(Buffer.of(ping));
      else socket.destroy();
    };
    const watch = setInterval(() => {
      if (this.#options.clock.monotonicMs() - heardMs > waitingSilentMs) socket.destroy();
    }, waitingSilentMs / 3);
    socket.on('data', hear);
    socket.once('close', () => {
      const unused = waits;
      leave();
      this.#open.delete(socket);
      // Whoever accepts and hangs up is asked again only after a pause.
      if (unused) void this.#rest(new Error('A waiting connection was closed.')).then(() => this.#fill());
      else this.#fill();
    });
  }

  #use(socket: TLSSocket): void {
    const guests = connect(this.#options.guestSocket);
    const timer = setTimeout(() => socket.destroy(), guestLimitMs);
    guests.on('error', () => socket.destroy());
    guests.once('connect', () => {
      clearTimeout(timer);
      socket.write(Buffer.of(ready));
      void splice(socket, guests);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      guests.destroy();
    });
  }
}
