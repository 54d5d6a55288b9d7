import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Fault } from '@lebureau/kit/fault';
import { controlTarget, requireVm, uidOf, type Engine, type VmFolder } from './engine.ts';
import { readBoot, runNames } from './files.ts';
import { livingProcess } from './observe.ts';
import type { ProcessIdentity } from './process.ts';
import type { Qmp } from './qmp.ts';
import { connectUnix } from './socket.ts';
import { connectTcp } from '../tcp.ts';

const connectTimeoutMs = 5000;

/** Ways into running guests: the init channel, the display and TCP ports. */
export class Channels {
  readonly #engine: Engine;
  readonly #inits = new Map<string, Duplex>();
  /** Host port by `${pid} ${guest port}`; a new process starts with no forwards. */
  readonly #forwards = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async openInit(vmRef: string): Promise<Duplex> {
    const { vm, process } = await this.#running(vmRef);
    this.#inits.get(vmRef)?.destroy();
    const stream = await this.#socket(vm, process, runNames.init);
    this.#inits.set(vmRef, stream);
    stream.once('close', () => {
      if (this.#inits.get(vmRef) === stream) this.#inits.delete(vmRef);
    });
    return stream;
  }

  async openDisplay(vmRef: string): Promise<{ stream: Duplex }> {
    const { vm, process } = await this.#running(vmRef);
    return { stream: await this.#socket(vm, process, runNames.vnc) };
  }

  /** QEMU accepts before the guest does: a closed port of the guest shows as a stream that ends at once. */
  async openPort(vmRef: string, port: number): Promise<Duplex> {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Fault('guest_unreachable', 'no such port');
    const { vm, process } = await this.#running(vmRef);
    const host = this.#engine.network.isolated
      ? this.#engine.network.address(vm.marker.slot).guestAddress
      : '127.0.0.1';
    const hostPort = await this.#forward(vm, process, { host, port });
    return connectTcp(host, hostPort);
  }

  /** Forgets what belonged to processes of this VM. */
  forget(vmRef: string): void {
    this.#inits.get(vmRef)?.destroy();
    this.#inits.delete(vmRef);
  }

  async #running(vmRef: string): Promise<{ vm: VmFolder; process: ProcessIdentity }> {
    const vm = await requireVm(this.#engine, vmRef);
    const record = await readBoot(vm.paths.boot);
    const process = record && record !== 'damaged' ? livingProcess(this.#engine, vm, record) : undefined;
    if (!process) throw new Fault('guest_unreachable', `VM ${vmRef} is off`);
    return { vm, process };
  }

  #socket(vm: VmFolder, process: ProcessIdentity, name: string): Promise<Duplex> {
    const { alive } = controlTarget(this.#engine, vm, process);
    const ownerUid = uidOf(this.#engine, vm.marker.slot);
    return connectUnix(join(vm.paths.run, name), {
      clock: this.#engine.clock,
      timeoutMs: connectTimeoutMs,
      ownerUid,
      alive,
    });
  }

  async #forward(vm: VmFolder, process: ProcessIdentity, wanted: { host: string; port: number }): Promise<number> {
    const key = `${process.pid} ${wanted.port}`;
    const known = this.#forwards.get(key);
    if (known !== undefined) return known;
    const qmp = await this.#engine.controls.of(controlTarget(this.#engine, vm, process));
    const existing = hostPortOf(await monitor(qmp, 'info usernet'), wanted.port);
    const port = existing ?? (this.#engine.network.isolated ? wanted.port : await freePort());
    if (existing === undefined) {
      const answer = await monitor(qmp, `hostfwd_add net0 tcp:${wanted.host}:${port}-:${wanted.port}`);
      if (answer.trim() !== '')
        throw new Fault('guest_unreachable', `port ${wanted.port} could not be opened: ${answer.trim()}`);
    }
    if (this.#forwards.size > 10_000) this.#forwards.clear(); // asked for again from QEMU
    this.#forwards.set(key, port);
    return port;
  }
}

async function monitor(qmp: Qmp, line: string): Promise<string> {
  return String(await qmp.execute('human-monitor-command', { 'command-line': line }));
}

/** From the table of `info usernet`: `TCP[HOST_FORWARD] fd  host  port  guest  port …`. */
export function hostPortOf(table: string, guestPort: number): number | undefined {
  for (const line of table.split('\n')) {
    const match = /^\s*TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)/.exec(line);
    if (match && Number(match[2]) === guestPort) return Number(match[1]);
  }
  return undefined;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
