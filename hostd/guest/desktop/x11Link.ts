import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault, describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { type X11Session, openX11Session } from './x11Session.ts';

export interface X11LinkOptions {
  /** A fresh connection to the socket of the guest's X server. */
  open: () => Promise<Duplex>;
  clock: Clock;
  log: Log;
  idleCloseMs?: number;
}

const openTimeoutMs = 15_000;
const idleCheckMs = 5_000;

/** The one X session of a desktop: opened when first needed, opened again after a failure, closed when idle. */
export class X11Link {
  private readonly options: X11LinkOptions;
  private opening: Promise<X11Session> | undefined;
  private current: X11Session | undefined;
  private usedMs = 0;
  private readonly end = new AbortController();

  constructor(options: X11LinkOptions) {
    this.options = options;
  }

  /** The open session, if there is one. */
  get ready(): X11Session | undefined {
    if (!this.current || this.current.x11.failure) return undefined;
    this.use();
    return this.current;
  }

  /** @throws Fault `guest_unreachable`, after `timeoutMs` at the latest. */
  async session(timeoutMs = openTimeoutMs): Promise<X11Session> {
    if (this.ready) return this.ready;
    if (this.end.signal.aborted) throw unreachable(new Error('closed'));
    this.opening ??= this.openSession().finally(() => {
      this.opening = undefined;
    });
    const { clock } = this.options;
    const done = new AbortController();
    const late = clock.sleep(timeoutMs, done.signal).then(() => undefined);
    this.opening.catch(() => {});
    const session = await Promise.race([this.opening, late]).finally(() => done.abort());
    if (!session) throw unreachable(new Error(`not open within ${timeoutMs} ms`));
    return session;
  }

  /** Opens it in the background. */
  warm(): void {
    this.session().catch((error: unknown) => {
      this.options.log.debug('x session did not open', { error: describeError(error) });
    });
  }

  close(): void {
    this.end.abort();
    this.current?.x11.close();
  }

  private use(): void {
    this.usedMs = this.options.clock.monotonicMs();
  }

  private async openSession(): Promise<X11Session> {
    let stream: Duplex;
    try {
      stream = await this.options.open();
    } catch (error) {
      throw unreachable(error);
    }
    const session = await openX11Session(stream, this.options.clock);
    if (this.end.signal.aborted) session.x11.close();
    this.current = session;
    this.use();
    void this.closeWhenIdle(session);
    return session;
  }

  private async closeWhenIdle(session: X11Session): Promise<void> {
    const { clock, idleCloseMs = 300_000 } = this.options;
    while (!session.x11.failure) {
      await clock.sleep(Math.min(idleCheckMs, idleCloseMs), this.end.signal);
      if (clock.monotonicMs() - this.usedMs > idleCloseMs || this.end.signal.aborted) session.x11.close();
    }
  }
}

function unreachable(cause: unknown): Fault {
  return new Fault('guest_unreachable', 'The X server of the desktop cannot be reached.', { cause });
}
