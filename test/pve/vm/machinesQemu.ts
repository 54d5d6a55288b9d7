import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { openInitChannel } from '@lebureau/hostd/guest/init/client';
import { openQemuDriver, type QemuDriver } from '@lebureau/hostd/hypervisor/qemu/driver';
import { readBoot, runNames, vmPaths } from '@lebureau/hostd/hypervisor/qemu/files';
import { GuestAgent } from '../guest/guestAgent.ts';
import { AgentDown, type Machines, type MachineSpec } from './machines.ts';

export interface QemuOptions {
  /** A home of its own, with a `templates` folder (or a link to one) that holds a built template. */
  home: string;
  clock: Clock;
  log: Log;
  /** The VM id that stands for the built template. */
  templateVmid: number;
  /** Puts a VM on a bridge; without it each is behind a network of its own that leads nowhere. */
  openTap?: (vmid: number) => Promise<number>;
}

interface Made {
  boot: number;
  agent: GuestAgent;
  pid?: number;
  mac: string;
  /** Its memory was kept under this name: the process stands still instead of ending. */
  kept?: string;
  state: 'off' | 'running' | 'frozen';
}

const agentTimeoutMs = 3000;
const agentStartMaxMs = 120_000;
const lookEveryMs = 500;
const ticksPerSecond = 100;

/** Real QEMU VMs behind the double, run by hostd's own driver: agent, screen and figures are those of a guest. */
export async function openMachinesQemu(options: QemuOptions): Promise<MachinesQemu> {
  const machines = new MachinesQemu(options);
  await machines.open();
  return machines;
}

export class MachinesQemu implements Machines {
  private readonly made = new Map<number, Made>();
  private readonly imported = new Set<number>();
  private readonly listeners: ((vmid: number) => void)[] = [];
  private readonly ended = new AbortController();
  private readonly figures = new Map<number, { atMs: number; ticks: number; cpu: number }>();
  private driver!: QemuDriver;
  private templateId = '';
  private watching: Promise<void> = Promise.resolve();

  constructor(private readonly options: QemuOptions) {}

  async open(): Promise<void> {
    const { home, clock, log, openTap } = this.options;
    const wire = openTap && ((vmRef: string) => openTap(vmidOf(vmRef)));
    this.driver = await openQemuDriver({
      home,
      clock,
      log,
      namespacesReady: 1,
      uidBase: uidBaseOf(home),
      openTap: wire,
    });
    const { templates } = await this.driver.facts();
    // The newest, with a warm one before all others.
    const [best] = templates.toSorted(
      (a, b) => Number(b.warmSizes.length > 0) - Number(a.warmSizes.length > 0) || b.builtAtMs - a.builtAtMs,
    );
    this.templateId = best?.id ?? '';
    if (this.templateId === '') throw new Error(`${home}/templates holds no template`);
    for (const seen of await this.driver.list()) {
      const vmid = vmidOf(seen.vmRef);
      // What has no marker is another home's.
      if (seen.owner === undefined || !Number.isInteger(vmid)) continue;
      const one = this.remember(vmid, seen.boot);
      if (seen.power === 'running') await this.noteRunning(vmid, one);
    }
    this.watching = this.watch();
  }

  async start(spec: MachineSpec, resume?: string): Promise<void> {
    const { vmid } = spec;
    const known = this.made.get(vmid);
    if (known?.state === 'frozen' && resume !== undefined && known.kept === resume) {
      this.signal(known, 'SIGCONT');
      known.state = 'running';
      known.kept = undefined;
      return;
    }
    if (known?.state === 'frozen') await this.driver.kill(ref(vmid));
    await this.driver.clone({
      vmRef: ref(vmid),
      owner: ref(vmid),
      templateId: this.templateId,
      vcpus: spec.cores,
      memoryMiB: spec.memoryMiB,
      diskGiB: Math.max(1, Math.ceil(spec.diskBytes / 1024 ** 3)),
      network: spec.mac === undefined ? 'none' : 'internet',
    });
    const one = known ?? this.remember(vmid, 0);
    one.boot += 1;
    one.mac = spec.mac ?? one.mac;
    await this.driver.start(ref(vmid), { boot: one.boot, mac: one.mac });
    await this.noteRunning(vmid, one);
    void this.dress(vmid, one).catch(() => {});
  }

  async stop(vmid: number): Promise<void> {
    const one = this.made.get(vmid);
    if (!one || one.state === 'off') return;
    if (one.kept !== undefined) {
      this.signal(one, 'SIGSTOP');
      one.state = 'frozen';
      return;
    }
    this.signal(one, 'SIGCONT');
    one.state = 'off';
    await this.driver.kill(ref(vmid));
  }

  async powerdown(vmid: number): Promise<void> {
    if (this.running(vmid)) await this.driver.requestStop(ref(vmid));
  }

  async reset(vmid: number): Promise<void> {
    const one = this.made.get(vmid);
    if (!one) return;
    await this.driver.kill(ref(vmid));
    one.boot += 1;
    await this.driver.start(ref(vmid), { boot: one.boot, mac: one.mac });
    await this.noteRunning(vmid, one);
    void this.dress(vmid, one).catch(() => {});
  }

  /** The whole process stands still; to the guest it is as if no time passed. */
  async pause(vmid: number): Promise<void> {
    const one = this.made.get(vmid);
    if (one) this.signal(one, 'SIGSTOP');
  }

  async resume(vmid: number): Promise<void> {
    const one = this.made.get(vmid);
    if (one) this.signal(one, 'SIGCONT');
  }

  /** Of one memory at a time, and only until the machine goes on: the process itself keeps it. */
  async saveMemory(vmid: number, name: string): Promise<void> {
    const one = this.made.get(vmid);
    if (!one) return;
    if (!name.includes('state-suspend-')) throw new Error('snapshots with memory need machines in memory');
    one.kept = name;
  }

  /**
   * Makes a guest that woke up from the template's memory what one that booted on Proxmox VE is: it has the MAC address of its
   * card, and the guest agent runs, which the template leaves alone on our own driver. Once wired, those that boot need nothing.
   */
  private async dress(vmid: number, { mac }: Made): Promise<void> {
    const seen = await this.driver.look(ref(vmid));
    if (this.options.openTap && seen?.startMode === 'cold') return;
    const init = openInitChannel(await this.driver.openInit(ref(vmid)), this.options.clock);
    const agent = 'pgrep -x qemu-ga >/dev/null || setsid -f /usr/sbin/qemu-ga >/dev/null 2>&1 </dev/null';
    const script = this.options.openTap ? `ip link set dev eth0 address ${mac}; ${agent}` : agent;
    try {
      await init.exec({
        argv: ['sh', '-c', script],
        user: 'root',
        timeoutMs: agentStartMaxMs,
        outputMaxBytes: 1000,
        signal: this.ended.signal,
      });
    } finally {
      init.close();
    }
  }

  running(vmid: number): boolean {
    return this.made.get(vmid)?.state === 'running';
  }

  onExit(listener: (vmid: number) => void): void {
    this.listeners.push(listener);
  }

  async agent(vmid: number, command: string, given: Record<string, unknown> = {}): Promise<unknown> {
    const one = this.made.get(vmid);
    if (!one || one.state !== 'running') throw new AgentDown();
    return one.agent.run(command, given);
  }

  async display(vmid: number): Promise<Duplex> {
    return (await this.driver.openDisplay(ref(vmid))).stream;
  }

  /** Processor and memory of the QEMU process itself. */
  usage(vmid: number): { cpu: number; memoryBytes: number; netIn: number; netOut: number } {
    const one = this.made.get(vmid);
    if (one?.pid === undefined || one.state === 'off') return { cpu: 0, memoryBytes: 0, netIn: 0, netOut: 0 };
    try {
      const stat = readFileSync(`/proc/${one.pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      const memoryBytes = Number(fields[21]) * 4096;
      return { cpu: this.share(vmid, ticks), memoryBytes, netIn: 0, netOut: 0 };
    } catch {
      return { cpu: 0, memoryBytes: 0, netIn: 0, netOut: 0 };
    }
  }

  /** 0 in the first sample, as it is with PVE's workers. */
  private share(vmid: number, ticks: number): number {
    const atMs = this.options.clock.monotonicMs();
    const last = this.figures.get(vmid);
    if (last && atMs - last.atMs < 1000) return last.cpu;
    const cpu = last ? Math.max(0, (ticks - last.ticks) / ticksPerSecond / ((atMs - last.atMs) / 1000)) : 0;
    this.figures.set(vmid, { atMs, ticks, cpu });
    return cpu;
  }

  /** Whatever was uploaded stands for the built template: nothing but that is imported. */
  importDisk(vmid: number): void {
    this.imported.add(vmid);
  }

  /** Disks are made at the first start, when the size of the machine is known. */
  async cloneDisk(from: number): Promise<void> {
    if (from !== this.options.templateVmid && !this.imported.has(from))
      throw new Error(`VM ${from} has no disk to clone here: VM ${this.options.templateVmid} and imported ones have`);
  }

  async removeDisk(vmid: number): Promise<void> {
    this.imported.delete(vmid);
    const one = this.made.get(vmid);
    if (!one) return;
    this.signal(one, 'SIGCONT');
    this.made.delete(vmid);
    this.figures.delete(vmid);
    await this.driver.delete(ref(vmid), ref(vmid));
  }

  /** Ends every machine of this home. */
  async close(): Promise<void> {
    await this.letGo(async () => {
      for (const vmid of [...this.made.keys()]) await this.removeDisk(vmid);
    });
  }

  /** Machines keep running; the next `openMachinesQemu` of this home finds them. */
  async letGo(before: () => Promise<void> = async () => {}): Promise<void> {
    this.ended.abort();
    await this.watching;
    await before();
    await this.driver.close();
  }

  private remember(vmid: number, boot: number): Made {
    const path = join(vmPaths(this.options.home, ref(vmid)).run, runNames.agent);
    const one: Made = { boot, agent: new GuestAgent(path, agentTimeoutMs), mac: defaultMac, state: 'off' };
    this.made.set(vmid, one);
    return one;
  }

  private async noteRunning(vmid: number, one: Made): Promise<void> {
    const record = await readBoot(vmPaths(this.options.home, ref(vmid)).boot);
    one.pid = record && record !== 'damaged' ? record.process?.pid : undefined;
    one.mac = record && record !== 'damaged' ? record.mac : one.mac;
    one.state = 'running';
  }

  private signal(one: Made, signal: 'SIGSTOP' | 'SIGCONT'): void {
    try {
      if (one.pid !== undefined) process.kill(one.pid, signal);
    } catch {
      one.pid = undefined;
    }
  }

  /** A guest that powered itself off is noticed by looking. */
  private async watch(): Promise<void> {
    while (!this.ended.signal.aborted) {
      await this.options.clock.sleep(lookEveryMs, this.ended.signal);
      for (const [vmid, one] of this.made) {
        if (one.state !== 'running') continue;
        const seen = await this.driver.look(ref(vmid)).catch(() => undefined);
        if (seen?.power !== 'off' || seen.boot !== one.boot) continue;
        one.state = 'off';
        await this.driver.kill(ref(vmid));
        for (const listener of this.listeners) listener(vmid);
      }
    }
  }
}

/** Apart from the uids of hostd's own desktops and of other doubles, which may run on the same machine. */
function uidBaseOf(home: string): number {
  const place = createHash('sha256').update(home).digest().readUInt32BE(0) % 10_000;
  return 1_000_000 + place * 65_536;
}

function vmidOf(vmRef: string): number {
  return Number(/^pve-(\d+)$/.exec(vmRef)?.[1]);
}

const defaultMac = '52:54:00:12:34:56';

function ref(vmid: number): string {
  return `pve-${vmid}`;
}
