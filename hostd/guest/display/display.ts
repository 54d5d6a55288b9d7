import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault, describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import type { Rectangle } from './damageGrid.ts';
import type { Framebuffer } from './framebuffer.ts';
import { RfbClient } from './rfbClient.ts';

export interface DisplayOptions {
  open: () => Promise<{ stream: Duplex; password?: string }>;
  clock: Clock;
  log: Log;
  /** The connection is closed after so long without use. */
  idleCloseMs?: number;
}

export interface QuietWish {
  /** How long nothing may change. */
  quietMs: number;
  timeoutMs: number;
  region?: Rectangle;
}

/** A picture may be this old, unless something was typed or clicked since. */
const ageMaxMs = 120;
/** While in use the server is asked this often to look at the screen; by itself QEMU slows down to once in three seconds. */
const probeIntervalMs = 30;
/** So long after the last use the screen is still followed closely. */
const followMs = 3_000;
const connectTimeoutMs = 10_000;
const connectTries = 3;

/**
 * The screen of one desktop: one RFB connection, opened by need, kept while in use, opened again after a failure.
 * The framebuffer outlives its connections.
 */
export class Display {
  private readonly options: DisplayOptions;
  private readonly clock: Clock;
  private opening: Promise<RfbClient> | undefined;
  private client: RfbClient | undefined;
  private framebuffer: Framebuffer | undefined;
  private usedMs = Number.NEGATIVE_INFINITY;
  private inputMs = Number.NEGATIVE_INFINITY;
  private following = false;
  private readonly end = new AbortController();

  constructor(options: DisplayOptions) {
    this.options = options;
    this.clock = options.clock;
  }

  /** Something was done to the desktop: pictures from before this moment are too old. */
  noteInput(): void {
    this.inputMs = this.clock.monotonicMs();
  }

  /** Where the pointer was last put, for servers that leave drawing it to us. */
  noteCursor(at: { x: number; y: number }): void {
    this.framebuffer?.setCursorPosition(at, this.clock.monotonicMs());
  }

  /** An open connection, last used `agoMs` before. @throws Fault `guest_unreachable`. */
  async connected(agoMs = 0): Promise<RfbClient> {
    this.use(agoMs);
    if (this.client && !this.client.failure) return this.client;
    this.opening ??= this.connect().finally(() => {
      this.opening = undefined;
    });
    const client = await this.opening;
    this.follow();
    return client;
  }

  /**
   * Resolves when a whole picture was received, of a desktop that nobody looks at yet: its screen is not followed
   * afterwards, which a guest without virtualisation would feel while it wakes up.
   * @throws Fault `guest_unreachable`, `capture_failed` when the server gives none within `timeoutMs`.
   */
  async firstFrame(timeoutMs = 5_000): Promise<void> {
    const client = await this.connected(followMs);
    const whole = new AbortController();
    const stop = client.onUpdate(() => (client.complete || client.failure) && whole.abort());
    if (!client.complete && !client.failure) await this.clock.sleep(timeoutMs, whole.signal);
    stop();
    if (client.complete) return;
    client.close();
    throw new Fault('capture_failed', 'The display did not answer in time.');
  }

  /**
   * The framebuffer, with everything that was on the screen when this was called, less at most 120 ms; and with all that
   * came of input up to the server's next look.
   * @throws Fault `capture_failed` when the server gives no sign within `timeoutMs`.
   */
  async fresh(timeoutMs = 5_000): Promise<Framebuffer> {
    const startMs = this.clock.monotonicMs();
    const neededMs = Math.max(startMs - ageMaxMs, Math.min(this.inputMs, startMs));
    for (;;) {
      const client = await this.connected();
      if (client.complete && client.confirmedMs >= neededMs) return client.framebuffer;
      const leftMs = startMs + timeoutMs - this.clock.monotonicMs();
      if (leftMs <= 0) {
        client.close();
        throw new Fault('capture_failed', 'The display did not answer in time.');
      }
      await this.untilUpdate(client, leftMs);
    }
  }

  /** Whether `region` stayed unchanged for `quietMs` before `timeoutMs` were over. */
  async quiet({ quietMs, timeoutMs, region }: QuietWish, signal?: AbortSignal): Promise<boolean> {
    const startMs = this.clock.monotonicMs();
    for (;;) {
      signal?.throwIfAborted();
      const framebuffer = await this.fresh();
      const nowMs = this.clock.monotonicMs();
      const quietSinceMs = Math.max(startMs, framebuffer.damage.lastChangeMs(region ?? framebuffer.screen));
      const leftMs = quietSinceMs + quietMs - nowMs;
      if (leftMs <= 0) return true;
      if (nowMs - startMs >= timeoutMs) return false;
      await this.clock.sleep(Math.max(1, Math.min(leftMs, startMs + timeoutMs - nowMs)), signal);
    }
  }

  close(): void {
    this.end.abort();
    this.client?.close();
  }

  private async untilUpdate(client: RfbClient, timeoutMs: number): Promise<void> {
    const waited = new AbortController();
    void client.confirm().then(() => waited.abort());
    await this.clock.sleep(timeoutMs, waited.signal);
  }

  private use(agoMs: number): void {
    if (this.end.signal.aborted) throw new Fault('guest_unreachable', 'The desktop is being stopped.');
    this.usedMs = Math.max(this.usedMs, this.clock.monotonicMs() - agoMs);
  }

  private async connect(): Promise<RfbClient> {
    let failure: unknown;
    for (let attempt = 0; attempt < connectTries && !this.end.signal.aborted; attempt++) {
      if (attempt > 0) await this.clock.sleep(50 * 4 ** attempt, this.end.signal);
      try {
        const { stream, password } = await this.openInTime();
        const client = await RfbClient.connect(stream, { clock: this.clock, password, framebuffer: this.framebuffer });
        return this.adopt(client);
      } catch (error) {
        failure = error;
      }
    }
    throw new Fault('guest_unreachable', 'The display of the desktop cannot be reached.', { cause: failure });
  }

  private async openInTime(): Promise<{ stream: Duplex; password?: string }> {
    const opening = this.options.open();
    const late = new AbortController();
    const limit = this.clock.sleep(connectTimeoutMs, late.signal).then(() => 'late' as const);
    const opened = await Promise.race([opening, limit]).finally(() => late.abort());
    if (opened !== 'late') return opened;
    void opening.then(({ stream }) => stream.destroy()).catch(() => {});
    throw new Error(`the display did not open within ${connectTimeoutMs} ms`);
  }

  private adopt(client: RfbClient): RfbClient {
    this.client = client;
    this.framebuffer = client.framebuffer;
    client.onUpdate(() => {
      this.framebuffer = client.framebuffer;
    });
    void client.closed.then(() => {
      if (this.client === client) this.client = undefined;
      this.options.log.debug('display connection ended', { reason: describeError(client.failure) });
    });
    if (this.end.signal.aborted) client.close();
    return client;
  }

  /** Keeps the server looking at the screen while the desktop is in use, and closes the connection after idle. */
  private follow(): void {
    if (this.following) return;
    this.following = true;
    void this.followWhileOpen().finally(() => {
      this.following = false;
    });
  }

  private async followWhileOpen(): Promise<void> {
    const idleCloseMs = this.options.idleCloseMs ?? 60_000;
    while (this.client && !this.client.failure) {
      const idleMs = this.clock.monotonicMs() - this.usedMs;
      if (idleMs > idleCloseMs) return this.client.close();
      if (idleMs < followMs) {
        const stuck = new AbortController();
        const answered = this.client.confirm().then(() => stuck.abort());
        await Promise.race([answered, this.clock.sleep(2_000, stuck.signal)]);
        stuck.abort();
      }
      await this.clock.sleep(idleMs < followMs ? probeIntervalMs : 500, this.end.signal);
      if (this.end.signal.aborted) return this.client?.close();
    }
  }
}
