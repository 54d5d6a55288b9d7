import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import type { Driver } from '../../hypervisor/driver.ts';
import { EyesAndHands } from '../desktop/eyesAndHands.ts';
import { Display } from '../display/display.ts';
import { FrameStore } from '../display/frameStore.ts';
import type { FileChannels } from '../files/channels.ts';
import type { InitChannel } from '../init/channel.ts';
import { openInitChannel, type InitClient } from '../init/client.ts';
import type { SshConnection } from '../ssh/connection.ts';

export interface ConnectionParts {
  driver: Driver;
  vmRef: string;
  clock: Clock;
  log: Log;
  /** The keys of this guest. */
  keys: () => { hostKey: string; privateKey: string };
  /** The init channel broke although nobody closed it. */
  onInitLost: () => void;
}

const openLimitMs = 10_000;
const connectLimitMs = 10_000;
export const terminalChannelsMax = 20;
const portsMax = 100;
const x11Socket = '/tmp/.X11-unix/X0';

type EndStream = (why: 'gone' | 'moved') => void;

/** Everything hostd holds open to one running guest. Each part is opened when first needed. */
export class GuestConnection {
  readonly parts: ConnectionParts;
  readonly eyes: EyesAndHands;
  readonly display: Display;
  private opening: Promise<InitClient> | undefined;
  private channels: Promise<{ ssh: SshConnection; files: FileChannels }> | undefined;
  private terminalSsh: Promise<SshConnection> | undefined;
  private portSsh: Promise<SshConnection> | undefined;
  private readonly streams = new Set<EndStream>();
  private used = false;
  private closed = false;

  constructor(parts: ConnectionParts) {
    this.parts = parts;
    const { clock, log } = parts;
    this.display = new Display({ open: () => parts.driver.openDisplay(parts.vmRef), clock, log });
    this.eyes = new EyesAndHands({
      display: this.display,
      frames: new FrameStore(clock),
      openX11: async () => (await this.init()).connect(x11Socket, connectLimitMs),
      init: () => this.init(),
      clock,
      log,
    });
  }

  /** The channel to the resident init process. @throws Fault `guest_unreachable` */
  init(): Promise<InitChannel> {
    if (this.closed) return Promise.reject(gone());
    this.opening ??= this.openInit().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  /** Files over SFTP. The SSH library is loaded with the first use. */
  async files(): Promise<FileChannels> {
    return (await this.open()).files;
  }

  /** Opens SSH in the background, so that the first who needs files does not wait for the login. */
  async warm(): Promise<void> {
    (await this.open()).ssh.warm();
    this.eyes.warm();
  }

  /** @returns whether this is the first time that somebody uses the desktop. */
  markUsed(): boolean {
    const isFirst = !this.used;
    this.used = true;
    return isFirst;
  }

  /** A stream into this guest: ended with the connection. @returns what forgets it */
  hold(end: EndStream): () => void {
    this.streams.add(end);
    return () => this.streams.delete(end);
  }

  /** The connection of terminals, apart from that of files: neither waits for the other. */
  async terminals(): Promise<SshConnection> {
    if (this.closed) throw gone();
    this.terminalSsh ??= this.openSsh({ channelsMax: terminalChannelsMax });
    return this.terminalSsh;
  }

  /** The connection by which ports of the guest's loopback are reached. */
  async ports(): Promise<SshConnection> {
    if (this.closed) throw gone();
    this.portSsh ??= this.openSsh({ channelsMax: portsMax });
    return this.portSsh;
  }

  close(why: 'gone' | 'moved' = 'gone'): void {
    this.closed = true;
    for (const end of this.streams) end(why);
    for (const opening of [this.terminalSsh, this.portSsh])
      opening?.then(
        (ssh) => ssh.close(),
        () => {},
      );
    this.eyes.close();
    this.display.close();
    this.opening?.then(
      (init) => init.close(),
      () => {},
    );
    this.channels?.then(
      ({ ssh, files }) => {
        files.close();
        ssh.close();
      },
      () => {},
    );
  }

  private async openInit(): Promise<InitClient> {
    const late = new AbortController();
    const opening = this.parts.driver.openInit(this.parts.vmRef);
    const limit = this.parts.clock.sleep(openLimitMs, late.signal).then((): Duplex | undefined => undefined);
    const stream = await Promise.race([opening, limit]).finally(() => late.abort());
    if (stream === undefined || this.closed) {
      opening.then(
        (unused) => unused.destroy(),
        () => {},
      );
      throw gone();
    }
    const init = openInitChannel(stream, this.parts.clock);
    stream.once('close', () => {
      this.opening = undefined;
      if (!this.closed) this.parts.onInitLost();
    });
    return init;
  }

  private open(): Promise<{ ssh: SshConnection; files: FileChannels }> {
    if (this.closed) return Promise.reject(gone());
    this.channels ??= this.openChannels();
    return this.channels;
  }

  private async openSsh(limits: { channelsMax?: number } = {}): Promise<SshConnection> {
    const { SshConnection } = await import('../ssh/connection.ts');
    const { driver, vmRef, clock, log } = this.parts;
    return new SshConnection({
      openStream: () => driver.openPort(vmRef, 22),
      username: 'agent',
      ...this.parts.keys(),
      clock,
      log,
      limits,
    });
  }

  private async openChannels() {
    const [ssh, { FileChannels }] = await Promise.all([this.openSsh(), import('../files/channels.ts')]);
    const { clock } = this.parts;
    return { ssh, files: new FileChannels({ ssh, init: () => this.init(), clock }) };
  }
}

function gone(): Fault {
  return new Fault('guest_unreachable', 'The desktop does not answer.');
}
