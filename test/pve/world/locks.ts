import type { Clock } from '@lebureau/kit/clock';
import { died } from '../api/refusal.ts';

const lockTimeoutMs = 10_000;
/** However fast the rest goes, a machine under load must not make lock holders look stuck. */
const leastFactor = 0.2;

interface Waiter {
  take: () => void;
}

interface Held {
  /** Changes with every holder: a release that comes late frees nobody else's. */
  holder: symbol;
  waiters: Waiter[];
}

export interface Waiting {
  /** Told when it is not free at once: a task writes that to its log. */
  onWait?: (text: string) => void;
  signal?: AbortSignal;
  /** Ten seconds by default. */
  timeoutMs?: number;
}

/** The flock of each VM's config. Waiting ends after ten seconds with PVE's text. */
export class Locks {
  private readonly held = new Map<number, Held>();

  constructor(
    private readonly clock: Clock,
    private readonly factor: number,
  ) {}

  /** @returns the release. */
  async take(vmid: number, waiting: Waiting = {}): Promise<() => void> {
    const held = this.held.get(vmid);
    if (held === undefined) return this.give(vmid, []);
    waiting.onWait?.('trying to acquire lock...');
    const release = await this.waitFor(vmid, held, waiting);
    if (release === undefined) {
      const why = waiting.signal?.aborted ? 'received interrupt' : 'got timeout';
      throw died(`can't lock file '/var/lock/qemu-server/lock-${vmid}.conf' - ${why}`);
    }
    waiting.onWait?.(' OK');
    return release;
  }

  async within<T>(vmid: number, work: () => T | Promise<T>, waiting: Waiting = {}): Promise<T> {
    const release = await this.take(vmid, waiting);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** PVE's own cleanup holds it; nobody waits for that. */
  hold(vmid: number, ms: number): void {
    if (this.held.has(vmid)) return;
    const release = this.give(vmid, []);
    void this.clock.sleep(ms * this.factor).then(release);
  }

  /** Whatever holds it lets go. */
  free(vmid: number): void {
    const held = this.held.get(vmid);
    const next = held?.waiters.shift();
    if (next) next.take();
    else this.held.delete(vmid);
  }

  private give(vmid: number, waiters: Waiter[]): () => void {
    const holder = Symbol('holder');
    this.held.set(vmid, { holder, waiters });
    return () => {
      if (this.held.get(vmid)?.holder === holder) this.free(vmid);
    };
  }

  private async waitFor(vmid: number, { waiters }: Held, waiting: Waiting): Promise<(() => void) | undefined> {
    const { signal } = waiting;
    const stop = new AbortController();
    let release: (() => void) | undefined;
    const waiter: Waiter = {
      take: () => {
        release = this.give(vmid, waiters);
        stop.abort();
      },
    };
    waiters.push(waiter);
    const onAbort = () => stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    await this.clock.sleep((waiting.timeoutMs ?? lockTimeoutMs) * Math.max(this.factor, leastFactor), stop.signal);
    signal?.removeEventListener('abort', onAbort);
    const at = waiters.indexOf(waiter);
    if (at >= 0) waiters.splice(at, 1);
    return release;
  }
}
