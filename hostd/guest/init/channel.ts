import type { Duplex } from 'node:stream';

/**
 * The resident init process of the template, as hostd sees it. The wire format is versioned and described in
 * hostd/template/init/PROTOCOL.md; every message may be sent again (resume, fork and a restarted hostd do).
 * The guest is hostile: every answer is bounded in size and time, and nothing in it is trusted beyond being text.
 */
export interface InitChannel {
  /** @throws Fault `guest_unreachable` when there is no answer within `timeoutMs`. */
  health(timeoutMs: number): Promise<InitHealth>;

  /**
   * Gives the clone its own identity and configuration; sets the clock last. Repeatable.
   * Resolves when the guest acknowledged all of it.
   */
  identify(identity: GuestIdentity, timeoutMs: number): Promise<void>;

  /** Runs one command. Any number at once. */
  exec(request: InitExecRequest): Promise<InitExecResult>;

  /**
   * A connection to a Unix socket of the guest, as root.
   * @throws Fault `guest_unreachable` when there is none within `timeoutMs`.
   */
  connect(path: string, timeoutMs: number): Promise<Duplex>;

  close(): void;
}

export interface InitHealth {
  protocol: number;
  programVersion: string;
  /** Undefined until identified: `identityMark` of the last `identify`. */
  identity?: string;
  /** Seconds the guest has been up, its load over one minute, its free memory and free root disk. */
  uptimeSeconds: number;
  memoryFreeMiB: number;
  diskFreeMiB: number;
  /** Whether an X server answers on :0 and whether the window manager runs. */
  displayUp: boolean;
  windowManagerUp: boolean;
}

export interface GuestIdentity {
  owner: string;
  boot: number;
  /** Of the order; a machine that waited in the pool is identified again when a desktop gets it. */
  version: number;
  hostName: string;
  /** 32 lower-case hexadecimal digits. */
  machineId: string;
  mac: string;
  /** OpenSSH private key (PEM) of the guest's only host key, ed25519. */
  sshHostKey: string;
  /** OpenSSH public key line that may log in as `agent` and as `root`. */
  sshAuthorizedKey: string;
  /** Wall clock to set, milliseconds since 1970; the client adds what it measures of the way. */
  clockMs: number;
  /** 64 bytes of fresh randomness, base64: mixed into the guest's pool. */
  entropy: string;
  timeZone: string;
  /** Further configuration as JSON text, stored in the guest at /etc/lebureau/config.json, mode 600. */
  config: string;
}

export interface InitExecRequest {
  argv: readonly string[];
  user: 'agent' | 'root' | (string & {});
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  stdin?: Uint8Array;
  timeoutMs: number;
  /** Each of stdout and stderr is cut here, and the rest read and thrown away. */
  outputMaxBytes: number;
  signal?: AbortSignal;
}

export interface InitExecResult {
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** 128 + signal number when a signal ended it. */
  exitCode: number;
  timedOut: boolean;
  truncated: boolean;
}

/** What a guest remembers of the identity it was given, until it boots again. */
export function identityMark({ owner, boot, version }: Pick<GuestIdentity, 'owner' | 'boot' | 'version'>): string {
  return `${owner}:${boot}:${version}`;
}
