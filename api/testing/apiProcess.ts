import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@lebureau/test/freePort';

/** The API as a process of its own, for tests that kill or weigh it. */
export class ApiProcess {
  readonly home = mkdtempSync(join(tmpdir(), 'lb-api-process-'));
  /** Everything it wrote to stdout and stderr, over all its lives. */
  output = '';
  readonly #environment: Record<string, string>;
  #port = 0;
  #child: ChildProcess | undefined;

  /** @param environment besides what lifts every limit */
  constructor(environment: Record<string, string> = {}) {
    this.#environment = environment;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get secret(): string {
    return readFileSync(join(this.home, 'api-key'), 'utf8').trim();
  }

  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts')], {
      env: {
        ...unlimited,
        ...this.#environment,
        LEBUREAU_HOME: this.home,
        LEBUREAU_API_LISTEN: `127.0.0.1:${this.#port}`,
      },
    });
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#child = child;
    for (let attempt = 0; attempt < 300; attempt++) {
      const ready = await fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return;
      await Bun.sleep(50);
    }
    throw new Error(`The API did not start: ${this.output}`);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  ask(method: string, path: string, options: { key?: string; body?: unknown } = {}): Promise<Response> {
    const { key, body } = options;
    return fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.secret}`,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** Resident memory now, bytes. */
  residentBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child!.pid}/status`, 'utf8'))![1]) * 1024;
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.home, { recursive: true, force: true });
  }
}

const unlimited = {
  LEBUREAU_RATE_LIMITS: 'off',
  LEBUREAU_LOG_LEVEL: 'debug',
  LEBUREAU_QUOTA_DESKTOPS: '100000',
  LEBUREAU_QUOTA_VCPUS: '1000000',
  LEBUREAU_QUOTA_MEMORY_MIB: '1000000000',
  LEBUREAU_QUOTA_DISK_GIB: '100000000',
};
