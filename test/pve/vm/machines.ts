import type { Duplex } from 'node:stream';

/** What the double asks of whatever runs its guests: nothing about PVE in here. */
export interface Machines {
  /** Resolves when the machine runs; rejects with the hypervisor's own text. `resume`: from memory saved before. */
  start(machine: MachineSpec, resume?: string): Promise<void>;
  /** Cuts the power; gone already is fine. */
  stop(vmid: number): Promise<void>;
  /** The power button. The guest may ignore it; `onExit` tells when it went. */
  powerdown(vmid: number): Promise<void>;
  reset(vmid: number): Promise<void>;
  pause(vmid: number): Promise<void>;
  resume(vmid: number): Promise<void>;
  /** Keeps memory under a name; `quit` ends the machine then. */
  saveMemory(vmid: number, name: string): Promise<void>;
  running(vmid: number): boolean;
  /** The guest powered itself off. */
  onExit(listener: (vmid: number) => void): void;
  /** One command of the QEMU guest agent. @throws AgentDown, AgentRefused */
  agent(vmid: number, command: string, given?: Record<string, unknown>): Promise<unknown>;
  /** A fresh connection to the machine's own RFB server, without a password. */
  display(vmid: number): Promise<Duplex>;
  usage(vmid: number): { cpu: number; memoryBytes: number; netIn: number; netOut: number };
  /** A disk was made of an uploaded file. */
  importDisk(vmid: number): void;
  /** Disks follow: made from another machine's, or of nothing. */
  cloneDisk(from: number, to: number): Promise<void>;
  removeDisk(vmid: number): Promise<void>;
  close(): Promise<void>;
}

export interface MachineSpec {
  vmid: number;
  name: string;
  memoryMiB: number;
  cores: number;
  /** Of its largest disk: the one it boots from may only hold a boot loader. */
  diskBytes: number;
  mac?: string;
  /** Without a disk to boot from nothing answers: no agent, no power button. */
  bootable: boolean;
  agent: boolean;
  addresses: string[];
  cloudInit: { user?: string; keys?: string; hostname: string };
}

/** Nobody answers on the agent's port. */
export class AgentDown extends Error {}

/** The agent answered with an error; `message` is its `desc`. */
export class AgentRefused extends Error {}

/** The agent's connection broke in the middle of a command, as it does on a program that does not exist. */
export class AgentBroke extends Error {}
