import type { Clock } from '@lebureau/kit/clock';
import { died } from '../api/refusal.ts';

const lockTimeoutMs = 10_000;

interface Waiter {
  take: () => void;
}

/** The flock of each VM's config. Waiting ends after ten seconds with PVE's text. */
export class Locks {
  private readonly held = new Map<number, Waiter[]>();

  constructor(
    private readonly clock: Clock,
    private readonly factor: number,
  ) {}

  /** @returns the release. `onWait` is told when it is not free at once: a task writes that to its log. */
  async take(vmid: number, options: { onWait?: (text: string) => void; signal?: AbortSignal } = {}): Promise<() => void> {
    const queue = this.held.get(vmid);
    if (queue === undefined) {
      this.held.set(vmid, []);
      return this.releaseOnce(vmid);
    }
    options.onWait?.('trying to acquire lock...');
    const got = await this.waitFor(queue, options.signal);
    if (!got) {
      const why = options.signal?.aborted ? 'received interrupt' : 'got timeout';
      throw died(`can't lock file '/var/lock/qemu-server/lock-${vmid}.conf' - ${why}`);
    }
    options.onWait?.(' OK');
    return this.releaseOnce(vmid);
  }

  async within<T>(vmid: number, work: () => T | Promise<T>): Promise<T> {
    const release = await this.take(vmid);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** PVE's own cleanup holds it; nobody waits for that. */
  hold(vmid: number, ms: number): void {
    if (this.held.has(vmid)) return;
    this.held.set(vmid, []);
    const release = this.releaseOnce(vmid);
    void this.clock.sleep(ms * this.factor).then(release);
  }

  private async waitFor(queue: Waiter[], signal?: AbortSignal): Promise<boolean> {
    const stop = new AbortController();
    let got = false;
    const waiter: Waiter = {
      take: () => {
        got = true;
        stop.abort();
      },
    };
    queue.push(waiter);
    const onAbort = () => stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    await this.clock.sleep(lockTimeoutMs * this.factor, stop.signal);
    signal?.removeEventListener('abort', onAbort);
    const at = queue.indexOf(waiter);
    if (at >= 0) queue.splice(at, 1);
    return got;
  }

  private releaseOnce(vmid: number): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.held.get(vmid)?.shift();
      if (next) next.take();
      else this.held.delete(vmid);
    };
  }
}
