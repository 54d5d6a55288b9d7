import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { runNames } from './files.ts';
import { Qmp } from './qmp.ts';
import { connectUnix } from './socket.ts';

export interface ControlOptions {
  clock: Clock;
  /** Told when a guest powers itself off, resets or its QEMU ends: time to look. */
  onChange: (vmRef: string) => void;
}

export interface ControlTarget {
  vmRef: string;
  run: string;
  uid?: number;
  timeoutMs: number;
  alive: () => boolean;
}

const interestingEvents = new Set(['SHUTDOWN', 'STOP', 'RESUME', 'GUEST_PANICKED', 'BLOCK_IO_ERROR']);

/** QMP connections, one a VM and kept: QEMU serves a single client at a time. */
export class Controls {
  readonly #options: ControlOptions;
  readonly #open = new Map<string, Promise<Qmp>>();

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  async of(target: ControlTarget): Promise<Qmp> {
    const known = this.#open.get(target.vmRef);
    if (known) {
      const qmp = await known.catch(() => undefined);
      if (qmp && !qmp.closed) return qmp;
    }
    const opening = this.#connect(target);
    this.#open.set(target.vmRef, opening);
    opening.catch(() => this.#forget(target.vmRef, opening));
    return opening;
  }

  /** Something happened to this VM outside its control socket. */
  changed(vmRef: string): void {
    this.#options.onChange(vmRef);
  }

  async close(vmRef: string): Promise<void> {
    const known = this.#open.get(vmRef);
    this.#open.delete(vmRef);
    const qmp = await known?.catch(() => undefined);
    if (qmp) qmp.onClose = undefined;
    qmp?.close();
  }

  async closeAll(): Promise<void> {
    for (const vmRef of this.#open.keys()) await this.close(vmRef);
  }

  async #connect(target: ControlTarget): Promise<Qmp> {
    const socket = await connectUnix(join(target.run, runNames.qmp), {
      clock: this.#options.clock,
      timeoutMs: target.timeoutMs,
      ownerUid: target.uid,
      alive: target.alive,
    });
    const qmp = new Qmp(socket);
    qmp.onEvent = (event) => {
      if (interestingEvents.has(event.event)) this.#options.onChange(target.vmRef);
    };
    qmp.onClose = () => this.#options.onChange(target.vmRef);
    return qmp;
  }

  #forget(vmRef: string, opening: Promise<Qmp>): void {
    if (this.#open.get(vmRef) === opening) this.#open.delete(vmRef);
  }
}
