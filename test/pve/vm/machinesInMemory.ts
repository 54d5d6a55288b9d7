import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { ScriptedGuest, type OnExec } from '../guest/scriptedGuest.ts';
import { serveStill } from '../guest/stillDisplay.ts';
import { streamPair } from '../guest/streamPair.ts';
import { AgentDown, type Machines, type MachineSpec } from './machines.ts';

export interface InMemoryOptions {
  clock: Clock;
  /** From power to the agent's first answer. */
  bootMs: number;
  /** From the power button to off. */
  shutdownMs: number;
  onExec?: OnExec;
  /** What guests' programs take, against the usual. */
  pace: number;
}

interface Running {
  spec: MachineSpec;
  guest: ScriptedGuest;
  upAtMs: number;
  paused: boolean;
  leaving?: AbortController;
}

/** Machines that are told of and not there: for speed, and for crash tests. */
export class MachinesInMemory implements Machines {
  private readonly machines = new Map<number, Running>();
  private readonly listeners: ((vmid: number) => void)[] = [];
  /** Saved memory by its volume: a machine resumed from it is up at once and keeps its files. */
  private readonly memories = new Map<string, ScriptedGuest>();

  constructor(private readonly options: InMemoryOptions) {}

  async start(spec: MachineSpec, resume?: string): Promise<void> {
    const kept = resume === undefined ? undefined : this.memories.get(resume);
    const guest = kept ?? new ScriptedGuest(spec, this.options.clock, this.options);
    const bootMs = resume === undefined ? this.options.bootMs : 0;
    this.machines.set(spec.vmid, { spec, guest, upAtMs: this.options.clock.nowMs() + bootMs, paused: false });
  }

  async stop(vmid: number): Promise<void> {
    this.machines.get(vmid)?.leaving?.abort();
    this.machines.delete(vmid);
  }

  async powerdown(vmid: number): Promise<void> {
    const machine = this.machines.get(vmid);
    if (!machine?.spec.bootable || machine.paused || machine.leaving) return;
    const leaving = new AbortController();
    machine.leaving = leaving;
    const bootLeft = Math.max(0, machine.upAtMs - this.options.clock.nowMs());
    void this.options.clock.sleep(bootLeft + this.options.shutdownMs, leaving.signal).then(() => {
      if (leaving.signal.aborted || this.machines.get(vmid) !== machine) return;
      this.machines.delete(vmid);
      for (const listener of this.listeners) listener(vmid);
    });
  }

  async reset(vmid: number): Promise<void> {
    const machine = this.machines.get(vmid);
    if (machine) await this.start(machine.spec);
  }

  async pause(vmid: number): Promise<void> {
    const machine = this.machines.get(vmid);
    if (machine) machine.paused = true;
  }

  async resume(vmid: number): Promise<void> {
    const machine = this.machines.get(vmid);
    if (machine) machine.paused = false;
  }

  async saveMemory(vmid: number, name: string): Promise<void> {
    const machine = this.machines.get(vmid);
    if (machine) this.memories.set(name, machine.guest);
  }

  running(vmid: number): boolean {
    return this.machines.has(vmid);
  }

  onExit(listener: (vmid: number) => void): void {
    this.listeners.push(listener);
  }

  async agent(vmid: number, command: string, given: Record<string, unknown> = {}): Promise<unknown> {
    const machine = this.machines.get(vmid);
    const up = machine?.spec.agent && machine.spec.bootable && !machine.paused && !machine.leaving;
    if (!machine || !up || this.options.clock.nowMs() < machine.upAtMs) throw new AgentDown();
    if (command === 'guest-shutdown') await this.powerdown(vmid);
    return machine.guest.answer(command, given);
  }

  async display(vmid: number): Promise<Duplex> {
    const machine = this.machines.get(vmid);
    if (!machine) throw new Error(`VM ${vmid} not running`);
    const [ours, theirs] = streamPair();
    serveStill(ours, machine.spec.name);
    return theirs;
  }

  usage(vmid: number): { cpu: number; memoryBytes: number; netIn: number; netOut: number } {
    const machine = this.machines.get(vmid);
    if (!machine) return { cpu: 0, memoryBytes: 0, netIn: 0, netOut: 0 };
    const memoryBytes = Math.round(machine.spec.memoryMiB * 1024 ** 2 * 0.4);
    return { cpu: 0.02, memoryBytes, netIn: 220, netOut: 656 };
  }

  importDisk(): void {}

  async cloneDisk(): Promise<void> {}

  async removeDisk(vmid: number): Promise<void> {
    await this.stop(vmid);
  }

  async close(): Promise<void> {
    for (const vmid of [...this.machines.keys()]) await this.stop(vmid);
  }
}
