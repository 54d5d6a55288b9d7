import type { components } from '@lebureau/openapi/node';
import { type GuestDouble, removeSocket, serveGuestDouble } from './guest.ts';

type Assignment = components['schemas']['Assignment'];
type Observation = components['schemas']['Observation'];
type Hello = components['schemas']['NodeHello'];

/** A node without a hypervisor: it speaks the sync contract as hostd does and takes its machines to what is wanted. */

export interface NodeDoubleOptions {
  /** Where the API's node listener is: its Unix socket, or over TLS. */
  apiSocket?: string;
  apiTls?: { address: string; tls: object };
  /** Where the double serves the guest contract. */
  guestSocket: string;
  name?: string;
  hello?: Partial<Hello>;
  /** Nodes that share it can move machines to each other, under their names. */
  cluster?: ClusterDouble;
  /** How long each step of a machine takes. */
  stepMs?: number;
  /** False: what shall be moved stays, as if that took long. */
  moves?: boolean;
  /** Changes what is seen of a machine before it is told. */
  distort?: (observation: Observation, order: Assignment) => Observation;
}

export interface ClusterDouble {
  id: string;
  machines: Map<string, Machine>;
}

export interface NodeDouble {
  nodeId: string;
  epoch: number;
  readonly guest: GuestDouble;
  /** The orders as last read. */
  orders(): Assignment[];
  /** Calls the node contract: a GET, a POST of JSON, or a PUT of bytes; the answer whatever it is. */
  call(path: string, body?: unknown): Promise<Response>;
  /** The guest powered itself off, or its machine died. */
  turnOff(assignmentId: string, fault?: Observation['fault']): Promise<void>;
  /** A machine that was taken for off runs again by itself. */
  turnOn(assignmentId: string): Promise<void>;
  stop(): Promise<void>;
}

interface Machine {
  /** The name of the node that looks after it. */
  home: string;
  boot: number;
  power: Observation['power'];
  present: boolean;
  fault: Observation['fault'];
}

function sentOf(body: unknown): RequestInit {
  if (body === undefined) return {};
  if (body instanceof Uint8Array)
    return { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: new Uint8Array(body) };
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

export const templateId = 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4';

export async function startNodeDouble(options: NodeDoubleOptions): Promise<NodeDouble> {
  removeSocket(options.guestSocket);
  const guest = serveGuestDouble(options.guestSocket);
  const node = new RunningNode(options, guest);
  await node.begin();
  return node;
}

class RunningNode implements NodeDouble {
  nodeId = '';
  epoch = 0;
  readonly guest: GuestDouble;
  readonly #options: NodeDoubleOptions;
  readonly #machines: Map<string, Machine>;
  readonly #ending = new AbortController();
  #orders: Assignment[] = [];
  #revision: string | undefined;
  #seq = 0;
  #loop: Promise<void> = Promise.resolve();
  #told = new Map<string, string>();

  constructor(options: NodeDoubleOptions, guest: GuestDouble) {
    this.#options = options;
    this.guest = guest;
    this.#machines = options.cluster?.machines ?? new Map();
  }

  get #name(): string {
    return this.#options.name ?? 'double';
  }

  async begin(): Promise<void> {
    const response = await this.call('/node/v1/hello', this.#hello());
    if (!response.ok) throw new Error(`The API refused the node: ${response.status} ${await response.text()}`);
    const welcome = (await response.json()) as components['schemas']['NodeWelcome'];
    this.nodeId = welcome.nodeId;
    this.epoch = welcome.epoch;
    this.#loop = this.#run();
  }

  orders(): Assignment[] {
    return this.#orders;
  }

  call(path: string, body?: unknown): Promise<Response> {
    const { apiSocket, apiTls } = this.#options;
    return fetch(`${apiTls?.address ?? 'http://api'}${path}`, {
      ...(apiTls === undefined ? { unix: apiSocket } : { tls: apiTls.tls }),
      signal: this.#ending.signal,
      ...sentOf(body),
    } as RequestInit);
  }

  async turnOff(assignmentId: string, fault: Observation['fault'] = null): Promise<void> {
    const machine = this.#machines.get(assignmentId)!;
    machine.power = 'off';
    machine.fault = fault;
    await this.#tell();
  }

  async turnOn(assignmentId: string): Promise<void> {
    Object.assign(this.#machines.get(assignmentId)!, { power: 'running', fault: null });
    await this.#tell();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
    await this.guest.stop();
    removeSocket(this.#options.guestSocket);
  }

  #hello(): Hello {
    return {
      nodeName: this.#name,
      ...(this.#options.cluster && { cluster: { id: this.#options.cluster.id, member: this.#name } }),
      version: '0.0.0',
      guestAddress: `unix:${this.#options.guestSocket}`,
      driver: 'fake',
      accelerator: 'none',
      acceleratorReason: 'There is no hypervisor.',
      hypervisorVersion: 'none',
      vcpus: 64,
      memoryMiB: 262_144,
      diskFreeMiB: 10_000_000,
      network: 'isolated',
      networkReason: 'There is no network to isolate.',
      templates: [{ id: templateId, name: 'double', warmSizes: ['1x1024'], diskMiB: 1, builtAtMs: 1_795_000_000_000 }],
      ...this.#options.hello,
    };
  }

  async #run(): Promise<void> {
    let heardAt = performance.now();
    while (!this.#ending.signal.aborted) {
      try {
        if (performance.now() - heardAt > 9000) {
          await this.call('/node/v1/hello', { ...this.#hello(), epoch: this.epoch });
          heardAt = performance.now();
        }
        await this.#read();
        while (await this.#step()) await Bun.sleep(this.#options.stepMs ?? 1);
      } catch {
        await Bun.sleep(this.#ending.signal.aborted ? 0 : 50);
      }
    }
  }

  async #read(): Promise<void> {
    const after = this.#revision === undefined ? '' : `&after=${this.#revision}`;
    const response = await this.call(`/node/v1/assignments?epoch=${this.epoch}&waitSeconds=5${after}`);
    if (response.status === 409) return this.#ending.abort();
    const list = (await response.json()) as components['schemas']['AssignmentList'];
    this.#revision = list.revision;
    this.#orders = list.assignments;
  }

  /** Takes every machine one step towards what is wanted. @returns whether any moved */
  async #step(): Promise<boolean> {
    let moved = false;
    for (const order of this.#orders) moved = this.#stepOne(order) || moved;
    await this.#tell();
    return moved;
  }

  #stepOne(order: Assignment): boolean {
    const machine = this.#machines.get(order.assignmentId);
    if (order.desired === 'deleted') return this.#machines.delete(order.assignmentId);
    if (machine === undefined) {
      this.#machines.set(order.assignmentId, {
        home: this.#name,
        boot: 0,
        power: 'off',
        present: true,
        fault: null,
      });
      return true;
    }
    if (machine.home !== this.#name) return false;
    if (order.move !== undefined && this.#options.moves !== false) {
      machine.home = order.move.to;
      return true;
    }
    const { power, boot } = machine;
    if (order.desired === 'running' && power === 'off' && boot < order.desiredBoot)
      Object.assign(machine, { power: 'booting', boot: order.desiredBoot, fault: null });
    else if (power === 'booting') machine.power = 'running';
    else if (power === 'running' && (order.desired === 'stopped' || boot < order.desiredBoot))
      machine.power = 'stopping';
    else if (power === 'stopping') machine.power = 'off';
    else return false;
    return true;
  }

  async #tell(): Promise<void> {
    const observations = this.#orders
      .map((order) => this.#observe(order))
      .filter((seen) => this.#told.get(seen.assignmentId) !== JSON.stringify(seen));
    if (observations.length === 0) return;
    const response = await this.call('/node/v1/observations', {
      epoch: this.epoch,
      seq: ++this.#seq,
      observations,
      strangers: [],
    });
    if (response.ok) for (const seen of observations) this.#told.set(seen.assignmentId, JSON.stringify(seen));
  }

  #observe(order: Assignment): Observation {
    const machine = this.#machines.get(order.assignmentId);
    const isGone = machine !== undefined && machine.home !== this.#name;
    const ready = machine?.power === 'running' && !isGone;
    const seen: Observation = {
      assignmentId: order.assignmentId,
      generation: order.generation,
      presence: machine === undefined ? 'absent' : 'present',
      power: machine?.power ?? 'off',
      boot: machine?.boot ?? 0,
      ready,
      agentReady: ready,
      startMode: machine?.boot === 1 ? 'warm' : machine ? 'cold' : null,
      ipAddress: ready ? '10.0.2.15' : null,
      fault: machine?.fault ?? null,
      ...(isGone ? { movedTo: machine.home } : {}),
      atMs: 0,
    };
    return this.#options.distort?.(seen, order) ?? seen;
  }
}
