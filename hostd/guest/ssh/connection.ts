import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { backoffMs } from '@lebureau/kit/loop';
import ssh2, { type Client, type ClientChannel } from 'ssh2';

export interface SshTarget {
  /** A fresh connection to the guest's sshd. */
  openStream: () => Promise<Duplex>;
  username: string;
  /** OpenSSH private key file. */
  privateKey: string;
  /** `ssh-ed25519 AAAA…`: the only host key that is accepted. */
  hostKey: string;
  clock: Clock;
  log: Log;
  limits?: Partial<SshLimits>;
}

export interface SshLimits {
  /** From the first byte to the end of the login. Under emulation it takes seconds, on a crowded machine many. */
  loginTimeoutMs: number;
  channelTimeoutMs: number;
  keepaliveMs: number;
  /** sshd's own default (MaxSessions) is ten. */
  channelsMax: number;
  /** A connection without channels is closed after this. */
  idleMs: number;
  /** Upper bound of the pause after failed logins. */
  backoffMaxMs: number;
}

const defaultLimits: SshLimits = {
  loginTimeoutMs: 60_000,
  channelTimeoutMs: 15_000,
  keepaliveMs: 20_000,
  channelsMax: 8,
  idleMs: 300_000,
  backoffMaxMs: 10_000,
};

const warmTries = 8;
/** RFC 4254 §5.1, SSH_OPEN_CONNECT_FAILED. */
const connectFailed = 2;

type ChannelAsk = (client: Client, take: (error: Error | undefined, channel: ClientChannel) => void) => void;

/**
 * The one SSH connection of a desktop: opened when first needed or by `warm`, opened again after a failure, closed when
 * idle. It proves the guest's host key before it says anything.
 */
export class SshConnection {
  private readonly target: SshTarget;
  private readonly limits: SshLimits;
  private opening: Promise<Client> | undefined;
  private sock: Duplex | undefined;
  private channels = 0;
  private failures = 0;
  private nextTryMs = 0;
  private idleTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly over = new AbortController();

  constructor(target: SshTarget) {
    this.target = target;
    this.limits = { ...defaultLimits, ...target.limits };
  }

  /** Opens the connection in the background, with a few tries, so that the first who needs it does not wait. */
  warm(): void {
    void this.warmUp().catch((error: unknown) => {
      this.target.log.debug('ssh did not open in the background', { error: describeError(error) });
    });
  }

  /**
   * A channel with this subsystem (`sftp`). The caller ends it.
   * @throws Fault guest_unreachable
   */
  openSubsystem(name: string): Promise<Duplex> {
    return this.openChannel((client, take) => client.subsys(name, take));
  }

  /**
   * A stream to the standard input and output of this command line of the guest, which ends with it. The caller ends it.
   * @throws Fault guest_unreachable
   */
  openProgram(command: string): Promise<Duplex> {
    return this.openChannel((client, take) => client.exec(command, take));
  }

  /**
   * A terminal of this size whose program is this command line. The caller ends it; what runs may outlive that.
   * @throws Fault guest_unreachable
   */
  openTerminal(command: string, size: { columns: number; rows: number }): Promise<ClientChannel> {
    const pty = { term: 'xterm-256color', cols: size.columns, rows: size.rows };
    return this.openChannel((client, take) => client.exec(command, { pty }, take));
  }

  /**
   * A TCP connection that the guest itself makes. The caller ends it.
   * @throws Fault guest_unreachable
   */
  openTcp(host: string, port: number): Promise<Duplex> {
    return this.openChannel((client, take) => client.forwardOut('127.0.0.1', 0, host, port, take));
  }

  /** Whether all that was said has left this machine's memory; so it has where nothing can be said. */
  get isOut(): boolean {
    return (this.sock?.writableLength ?? 0) === 0;
  }

  private async openChannel(ask: ChannelAsk): Promise<ClientChannel> {
    if (this.channels >= this.limits.channelsMax)
      throw new Fault('guest_unreachable', 'Too many SSH channels to this desktop are open.', { retryAfterSeconds: 1 });
    this.channels += 1;
    clearTimeout(this.idleTimer);
    let channel: ClientChannel | undefined;
    try {
      const client = await this.client();
      channel = await this.channelOf(client, ask);
      this.releaseOnce(client, channel);
      return channel;
    } finally {
      if (channel === undefined) this.release();
    }
  }

  /** Ends the connection for good. */
  close(): void {
    this.over.abort();
    clearTimeout(this.idleTimer);
    void this.opening?.then(
      (client) => client.destroy(),
      () => {},
    );
    this.opening = undefined;
  }

  private async warmUp(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.client();
        if (this.channels === 0) this.startIdling();
        return;
      } catch (error) {
        if (attempt === warmTries || this.over.signal.aborted) throw error;
      }
    }
  }

  private client(): Promise<Client> {
    if (this.over.signal.aborted) throw new Fault('guest_unreachable', 'The connection to this desktop was closed.');
    if (this.opening !== undefined) return this.opening;
    const opening = this.open();
    this.opening = opening;
    const forget = () => {
      if (this.opening === opening) this.opening = undefined;
    };
    opening.then((client) => client.once('close', forget), forget);
    return opening;
  }

  private async open(): Promise<Client> {
    try {
      const { clock } = this.target;
      const pauseMs = this.nextTryMs - clock.monotonicMs();
      if (pauseMs > 0) await clock.sleep(pauseMs, this.over.signal);
      const client = await this.login();
      this.failures = 0;
      return client;
    } catch (error) {
      this.failures += 1;
      this.nextTryMs = this.target.clock.monotonicMs() + backoffMs(this.failures, this.limits.backoffMaxMs);
      throw unreachable('The desktop does not answer over SSH.', error);
    }
  }

  private async login(): Promise<Client> {
    const { target, limits } = this;
    const sock = await this.within(target.openStream(), limits.loginTimeoutMs);
    this.sock = sock;
    const client = new ssh2.Client();
    // Every channel listens for the end.
    client.setMaxListeners(limits.channelsMax + 10);
    const { promise, resolve, reject } = Promise.withResolvers<Client>();
    client.once('ready', () => resolve(client));
    client.once('close', () => reject(new Error('the connection closed during the login')));
    client.on('error', (error) => {
      reject(error);
      client.destroy();
      sock.destroy();
    });
    const pinned = Buffer.from(target.hostKey.split(' ')[1] ?? '', 'base64');
    client.connect({
      sock: sock as Parameters<Client['connect']>[0]['sock'],
      username: target.username,
      privateKey: target.privateKey,
      hostVerifier: (key: Buffer) => pinned.length > 0 && pinned.equals(key),
      readyTimeout: limits.loginTimeoutMs,
      keepaliveInterval: limits.keepaliveMs,
      keepaliveCountMax: 3,
      algorithms: {
        kex: ['curve25519-sha256'],
        serverHostKey: ['ssh-ed25519'],
        cipher: ['aes128-gcm@openssh.com', 'aes128-ctr'],
        hmac: ['hmac-sha2-256-etm@openssh.com'],
        compress: ['none'],
      },
    });
    try {
      return await this.within(promise, limits.loginTimeoutMs + 1000);
    } catch (error) {
      client.destroy();
      sock.destroy();
      throw error;
    }
  }

  private async channelOf(client: Client, ask: ChannelAsk): Promise<ClientChannel> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
    const gone = () => reject(new Error('the connection closed'));
    client.once('close', gone);
    let late = false;
    try {
      ask(client, (error, channel) => {
        if (error) return reject(error);
        if (late) return channel.close();
        resolve(channel);
      });
      return await this.within(promise, this.limits.channelTimeoutMs);
    } catch (error) {
      late = true;
      // A guest that accepted the login and opens no channel is not worth keeping; that nobody listens there is an answer.
      if ((error as { reason?: unknown }).reason !== connectFailed) client.destroy();
      throw unreachable('The desktop opened no SSH channel.', error);
    } finally {
      client.off('close', gone);
    }
  }

  private async within<Value>(work: Promise<Value>, limitMs: number): Promise<Value> {
    const done = new AbortController();
    const late = this.target.clock.sleep(limitMs, AbortSignal.any([done.signal, this.over.signal])).then(() => {
      if (!done.signal.aborted) throw new Error(`no answer within ${limitMs} ms`);
      return work;
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      done.abort();
      late.catch(() => {});
      work.catch(() => {});
    }
  }

  /** A channel whose reader stopped reading does not tell of its end; the end of its connection counts too. */
  private releaseOnce(client: Client, channel: ClientChannel): void {
    const release = () => {
      client.off('close', release);
      channel.off('close', release);
      this.release();
    };
    client.once('close', release);
    channel.once('close', release);
  }

  private release(): void {
    this.channels -= 1;
    if (this.channels === 0) this.startIdling();
  }

  private startIdling(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => {
      if (this.channels > 0) return;
      void this.opening?.then(
        (client) => client.end(),
        () => {},
      );
      this.opening = undefined;
    }, this.limits.idleMs);
    this.idleTimer.unref();
  }
}

function unreachable(detail: string, cause: unknown): Fault {
  return new Fault('guest_unreachable', detail, { cause, retryAfterSeconds: 2 });
}
