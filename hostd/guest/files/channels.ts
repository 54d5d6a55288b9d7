import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { InitChannel } from '../init/channel.ts';
import type { SshConnection } from '../ssh/connection.ts';
import { agentHome } from './path.ts';
import { SftpSession } from './sftpSession.ts';
import { UploadsUnderWay } from './uploadsUnderWay.ts';

export interface FileParts {
  ssh: SshConnection;
  /** Removes trees: `rm` cannot be led astray by a symlink that appears meanwhile, as SFTP can. */
  init: () => Promise<InitChannel>;
  clock: Clock;
  home?: string;
}

/**
 * `quick` for looking and renaming, `bulk` for content: a small request never waits behind megabytes.
 * Each allows its own silence, because a flush of a big file takes the guest a while.
 */
export type ChannelUse = 'quick' | 'bulk';

const silenceMaxMs: Record<ChannelUse, number> = { quick: 30_000, bulk: 120_000 };
const idleMaxMs = 120_000;
const idleCheckMs = 30_000;

/** The SFTP sessions of one desktop: opened when needed, ended when idle or broken. They act as user `agent`. */
export class FileChannels {
  readonly parts: FileParts;
  readonly home: string;
  /** Names of temporary files that are being written now: no sweep may touch them. */
  readonly writing = new Set<string>();
  readonly uploads = new UploadsUnderWay();
  /** Folders that were looked through for leftovers. Bounded by `noteSwept`. */
  private readonly swept = new Set<string>();
  private readonly opening = new Map<ChannelUse, Promise<SftpSession>>();
  private over = false;

  constructor(parts: FileParts) {
    this.parts = parts;
    this.home = parts.home ?? agentHome;
  }

  /** @throws Fault guest_unreachable */
  session(use: ChannelUse): Promise<SftpSession> {
    if (this.over)
      return Promise.reject(new Fault('guest_unreachable', 'The file channel of this desktop was closed.'));
    const known = this.opening.get(use);
    if (known !== undefined) return known;
    const opening = this.open(use);
    this.opening.set(use, opening);
    const forget = () => {
      if (this.opening.get(use) === opening) this.opening.delete(use);
    };
    opening.then((session) => {
      session.whenBroken(forget);
      this.endWhenIdle(session);
    }, forget);
    return opening;
  }

  close(): void {
    this.over = true;
    for (const opening of this.opening.values()) {
      opening.then(
        (session) => session.end(),
        () => {},
      );
    }
  }

  /** True the first time for each folder. */
  noteSwept(folder: string): boolean {
    if (this.swept.has(folder)) return false;
    if (this.swept.size >= 1000) this.swept.clear();
    this.swept.add(folder);
    return true;
  }

  private async open(use: ChannelUse): Promise<SftpSession> {
    const channel = await this.parts.ssh.openSubsystem('sftp');
    return SftpSession.start(channel, { clock: this.parts.clock, silenceMaxMs: silenceMaxMs[use] });
  }

  private endWhenIdle(session: SftpSession): void {
    const { clock } = this.parts;
    let busyAtMs = clock.monotonicMs();
    const timer = setInterval(() => {
      if (!session.isIdle) busyAtMs = clock.monotonicMs();
      else if (clock.monotonicMs() - Math.max(busyAtMs, session.heardAtMs) > idleMaxMs) session.end();
    }, idleCheckMs);
    timer.unref();
    session.whenBroken(() => clearInterval(timer));
  }
}
