import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { Dispatcher } from './api/dispatch.ts';
import { findReference, readSchema } from './api/reference.ts';
import { makeCertificates, type Certificates } from './certificate.ts';
import type { OnExec } from './guest/scriptedGuest.ts';
import { listen } from './http.ts';
import type { Machines } from './vm/machines.ts';
import { MachinesInMemory } from './vm/machinesInMemory.ts';
import type { Faults } from './world/faults.ts';
import { LifeClock } from './world/lifeClock.ts';
import { addTemplate, addToken, deskGrants, seedState } from './world/seed.ts';
import { lookAtAll, runStatd } from './world/statd.ts';
import type { State, Version } from './world/state.ts';
import { World } from './world/world.ts';

export interface DoubleOptions {
  version: Version;
  /** Names of the nodes; the first is the one that listens. One node `pve1` by default. */
  nodes?: string[];
  /** How slow: 1 as the real daemons (a start takes a second, an agent that is down three). Default 0.02. */
  pace?: number;
  /** What runs the guests; told-of machines by default. */
  machines?: Machines;
  /** Of the default machines, before `pace`: from power to the agent's first answer. Default 10 s. */
  bootMs?: number;
  /** Of the default machines: what commands of the agent's exec do. Nothing is run on the machine of the test. */
  onExec?: OnExec;
  clock?: Clock;
  /** HTTP instead of HTTPS. */
  plain?: boolean;
  port?: number;
  /** Address to listen on; loopback by default. */
  hostname?: string;
  /** Names of the bridges; `vmbr0` by default. */
  bridges?: string[];
  /** Called after every change of the state. */
  onChange?: (state: State) => void;
  /** A file that keeps the state over `kill()`: opened again with it, the cluster is as it was, half-made clones too. */
  file?: string;
  certificates?: Certificates;
}

const firstTemplate = 9001;

/**
 * A Proxmox VE to test against. `openPveDouble({ version: '8.4' | '9.2', … })` gives
 *
 *     url          https://localhost:PORT          (the API lies below /api2/json)
 *     ca           PEM for `fetch(url, { tls: { ca } })`
 *     fingerprint  SHA-256 of the certificate, AA:BB:…
 *     token        `desk@pve!t1=UUID`, with no more rights than a desktop's life takes: on /pool/desks, /storage/local, the
 *                  bridge and Sys.Audit on the nodes. Header: `Authorization: PVEAPIToken=${token}`
 *     tokens       { desk, admin, nobody }: admin may everything a token can, nobody nothing
 *     templateId   9001, in pool `desks`: linked clones, agent, cloud-init drive; 9002 on the second node, and so on
 *     faults       add('slow' | 'lostAnswer' | 'lostRequest' | 'brokenPipe' | 'answer', { on, times? … }), clear()
 *     state        the cluster, live: nodes[n].online, quorate, storages[s].otherBytes (full), vms, tokens[t].revoked,
 *                  nodes[n].clockSkewMs
 *     close()      ends everything.   kill() leaves as a power cut does: workers stop where they are, `file` stays.
 *
 * @throws when `shared/reference` is not beside the checkout: ask `findReference()` first and skip.
 */
export async function openPveDouble(options: DoubleOptions): Promise<PveDouble> {
  const reference = findReference();
  if (reference === undefined) throw new Error('shared/reference/pve-api.json is not beside the checkout');
  const clock = new LifeClock(options.clock ?? systemClock);
  const pace = options.pace ?? 0.02;
  const { state, tokens } = load(options, clock);
  const machines =
    options.machines ??
    new MachinesInMemory({
      clock,
      bootMs: (options.bootMs ?? 10_000) * pace,
      shutdownMs: 1500 * pace,
      pace,
      onExec: options.onExec,
    });
  let dead = false;
  const keeper = new Keeper(options.file, { state, tokens });
  const schema = readSchema(reference);
  const changed = () => {
    if (dead) return;
    keeper.changed();
    options.onChange?.(state);
  };
  const world = new World({ state, schema, machines, clock, pace, changed });
  await wake(world);
  const localNode = Object.keys(state.nodes)[0] ?? 'pve1';
  const dispatcher = new Dispatcher(world, { localNode });
  const certificates = options.certificates ?? makeCertificates();
  const tls = options.plain ? undefined : { key: certificates.key, cert: certificates.certificate };
  const listener = await listen(dispatcher, tls, { port: options.port, hostname: options.hostname });
  const ended = new AbortController();
  const statd = runStatd(world, ended.signal);
  const leave = async (halt: () => void) => {
    dead = true;
    ended.abort();
    await statd;
    halt();
    keeper.write();
    await listener.close();
  };
  const close = async () => {
    await leave(() => {});
    await machines.close();
  };
  return {
    url: `${options.plain ? 'http' : 'https'}://localhost:${listener.port}`,
    port: listener.port,
    ca: certificates.ca,
    fingerprint: certificates.fingerprint,
    certificates,
    token: tokens.desk,
    tokens,
    node: localNode,
    templateId: firstTemplate,
    state,
    faults: world.faults,
    world,
    dispatcher,
    machines,
    kill: () => leave(() => clock.halt()),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export interface Tokens {
  desk: string;
  admin: string;
  nobody: string;
}

export interface PveDouble extends AsyncDisposable {
  url: string;
  port: number;
  ca: string;
  fingerprint: string;
  certificates: Certificates;
  token: string;
  tokens: Tokens;
  node: string;
  templateId: number;
  state: State;
  faults: Faults;
  world: World;
  dispatcher: Dispatcher;
  machines: Machines;
  kill(): Promise<void>;
  close(): Promise<void>;
}

function load(options: DoubleOptions, clock: Clock): { state: State; tokens: Tokens } {
  if (options.file !== undefined && existsSync(options.file)) {
    return JSON.parse(readFileSync(options.file, 'utf8')) as { state: State; tokens: Tokens };
  }
  const nowMs = clock.nowMs();
  const state = seedState({ version: options.version, nodes: options.nodes ?? ['pve1'], nowMs });
  if (options.bridges) state.bridges = options.bridges;
  for (const [at, node] of Object.keys(state.nodes).entries()) {
    addTemplate(state, { vmid: firstTemplate + at, node, name: 'tmpl-desktop', nowMs, size: '8G' });
  }
  const tokens: Tokens = {
    desk: addToken(state, 'desk@pve!t1', deskGrants(state)),
    admin: addToken(state, 'admin@pve!t1', [{ path: '/', role: 'Administrator' }]),
    nobody: addToken(state, 'nobody@pve!t1', []),
  };
  return { state, tokens };
}

const keepEveryMs = 20;

/** Writes the state where `file` says, soon after each change and once more at the end. */
class Keeper {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly file: string | undefined,
    private readonly kept: { state: State; tokens: Tokens },
  ) {}

  changed(): void {
    if (this.file === undefined || this.timer !== undefined) return;
    this.timer = setTimeout(() => this.write(), keepEveryMs);
  }

  /** As a whole or not at all. */
  write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.file === undefined) return;
    writeFileSync(`${this.file}.new`, JSON.stringify(this.kept));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** After a power cut: workers are gone, locks in configs stay, no guest runs unless its machine outlived us. */
async function wake(world: World): Promise<void> {
  world.tasks.bury();
  for (const vm of Object.values(world.state.vms)) {
    if (vm.run && !world.machines.running(vm.vmid)) world.stopped(vm);
  }
  lookAtAll(world);
}
