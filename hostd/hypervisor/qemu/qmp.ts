import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { Fault } from '@lebureau/kit/fault';

/** One event of QEMU, as documented in its QMP reference (`SHUTDOWN`, `RESUME`, `MIGRATION` …). */
export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

/** A broken-out QEMU may send anything, so lines, commands in flight and listeners are all limited. */
export interface QmpLimits {
  lineMaxBytes: number;
  commandsMax: number;
  commandTimeoutMs: number;
}

const defaultLimits: QmpLimits = { lineMaxBytes: 1 << 20, commandsMax: 64, commandTimeoutMs: 10_000 };

interface Waiting {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Fault) => void;
  timer: ReturnType<typeof setTimeout>;
}

interface Awaited {
  matches: (event: QmpEvent) => boolean;
  resolve: (event: QmpEvent) => void;
  reject: (error: Fault) => void;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * A client of QEMU's machine protocol (JSON lines). Commands may be sent at once and any number together: QEMU answers
 * in order, so a whole start sequence costs one round trip. It owns the stream.
 */
export class Qmp {
  readonly #stream: Duplex;
  readonly #limits: QmpLimits;
  readonly #waiting = new Map<number, Waiting>();
  readonly #awaited = new Set<Awaited>();
  readonly #decoder = new StringDecoder('utf8');
  #partial = '';
  #lastId = 0;
  #end: Fault | undefined;

  /** Where every event goes that QEMU sends; must not throw. */
  onEvent: ((event: QmpEvent) => void) | undefined;
  /** Called once when the connection is over. */
  onClose: (() => void) | undefined;

  constructor(stream: Duplex, limits: Partial<QmpLimits> = {}) {
    this.#stream = stream;
    this.#limits = { ...defaultLimits, ...limits };
    stream.on('data', (chunk: Uint8Array) => this.#read(Buffer.from(chunk)));
    stream.on('error', (error) => this.#finish('QEMU closed its control socket', error));
    stream.on('close', () => this.#finish('QEMU closed its control socket'));
    stream.on('end', () => this.#finish('QEMU closed its control socket'));
    this.execute('qmp_capabilities').catch(() => {}); // its failure shows in the command that follows
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** @throws Fault `hypervisor_failed` when QEMU refuses, does not answer in time or is gone. */
  execute(command: string, given?: Record<string, unknown>, timeoutMs?: number): Promise<unknown> {
    if (this.#end) return Promise.reject(this.#end);
    if (this.#waiting.size >= this.#limits.commandsMax) {
      return Promise.reject(new Fault('hypervisor_failed', `QEMU has ${this.#waiting.size} commands unanswered`));
    }
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Fault('hypervisor_failed', `QEMU did not answer ${command} in time`));
      }, timeoutMs ?? this.#limits.commandTimeoutMs);
      this.#waiting.set(id, { command, resolve, reject, timer });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: given, id })}\n`);
    });
  }

  /** The next event that matches. Ask before sending the command that causes it. */
  nextEvent(matches: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
    if (this.#end) return Promise.reject(this.#end);
    if (this.#awaited.size >= this.#limits.commandsMax) {
      return Promise.reject(new Fault('hypervisor_failed', 'too many waits for events of QEMU'));
    }
    return new Promise((resolve, reject) => {
      const awaited: Awaited = {
        matches,
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#awaited.delete(awaited);
          reject(new Fault('hypervisor_failed', 'QEMU did not report an expected event in time'));
        }, timeoutMs),
      };
      this.#awaited.add(awaited);
    });
  }

  close(): void {
    this.#finish('the control socket was closed');
  }

  #read(chunk: Buffer): void {
    if (this.#end) return;
    const lines = (this.#partial + this.#decoder.write(chunk)).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      if (line.length > this.#limits.lineMaxBytes) return this.#finish('QEMU sent a line that is too long');
      if (line.trim() !== '') this.#readLine(line);
    }
    if (this.#partial.length > this.#limits.lineMaxBytes) this.#finish('QEMU sent a line that is too long');
  }

  #readLine(line: string): void {
    const message = parseObject(line);
    if (!message) return this.#finish('QEMU sent something that is not QMP');
    if (typeof message.event === 'string')
      return this.#readEvent({ event: message.event, data: asObject(message.data) });
    const waiting = typeof message.id === 'number' ? this.#waiting.get(message.id) : undefined;
    // The greeting, an answer that came too late, or no answer at all.
    if (!waiting || !('return' in message || 'error' in message)) return;
    this.#waiting.delete(message.id as number);
    clearTimeout(waiting.timer);
    if (!('error' in message)) return waiting.resolve(message.return);
    const reason = String(asObject(message.error).desc ?? 'no reason given').slice(0, 500);
    waiting.reject(new Fault('hypervisor_failed', `QEMU refused ${waiting.command}: ${reason}`));
  }

  #readEvent(event: QmpEvent): void {
    this.onEvent?.(event);
    for (const awaited of this.#awaited) {
      if (!awaited.matches(event)) continue;
      this.#awaited.delete(awaited);
      clearTimeout(awaited.timer);
      awaited.resolve(event);
    }
  }

  #finish(reason: string, cause?: unknown): void {
    if (this.#end) return;
    this.#end = new Fault('hypervisor_failed', reason, { cause });
    for (const each of [...this.#waiting.values(), ...this.#awaited]) {
      clearTimeout(each.timer);
      each.reject(this.#end);
    }
    this.#waiting.clear();
    this.#awaited.clear();
    this.#partial = '';
    this.#stream.destroy();
    this.onClose?.();
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
