import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { openApiLink } from '../../hostd/apiLink.ts';
import { nobody } from '../../hostd/crashmatrix/world.ts';
import { identityMark } from '../../hostd/guest/init/channel.ts';
import { Hostd } from '../../hostd/hostd.ts';
import type { GuestDoor } from '../../hostd/act.ts';
import type { Driver, NodeFacts } from '../../hostd/hypervisor/driver.ts';
import { FakeHypervisor } from '../../hostd/hypervisor/fake.ts';
import { joinApi } from '../../hostd/joinApi.ts';
import { readNodeIdentity, writeNodeIdentity } from '../../hostd/nodeIdentity.ts';
import type { Assignment } from '../../hostd/orders.ts';
import { type GuestDouble, serveGuestDouble } from '../doubles/guest.ts';

/** A node with hostd's real code on a hypervisor in memory; many run in one process. */

export interface SimulatedNodeOptions {
  apiAddress: string;
  token: string;
  name: string;
  facts?: Partial<NodeFacts>;
  /** How its guests are reached; left out: they are not. */
  guests?: 'tunnel' | { hostname: string; port: number };
  /** How long after a start a guest answers. */
  bootMs?: number;
  /** In the place of the hypervisor in memory. */
  hypervisor?: { driver: Driver; guests: GuestDoor };
  /** Told when an order reached hostd for the first time. */
  onOrder?: (order: Assignment) => void;
}

export class SimulatedNode {
  readonly name: string;
  readonly world: FakeHypervisor;
  nodeId = '';
  readonly guest: GuestDouble | undefined;
  readonly #options: SimulatedNodeOptions;
  readonly #home = mkdtempSync(join(tmpdir(), 'lb-node-'));
  readonly #known = new Set<string>();
  #opened: { close(): Promise<void> } | undefined;
  #stop = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: SimulatedNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.world = new FakeHypervisor({ clock: systemClock, bootMs: options.bootMs });
    this.world.templates.push({
      id: `tpl_${'0'.repeat(26)}`,
      name: 'fake',
      warmSizes: ['1x1024'],
      diskMiB: 1,
      builtAtMs: 0,
    });
    this.guest = options.guests === undefined ? undefined : serveGuestDouble(this.#guestSocket);
  }

  get #guestSocket(): string {
    return join(this.#home, 'guest.sock');
  }

  /** Where it would look for the API if it started now, besides the address it joined. */
  get knownAddresses(): readonly string[] {
    return readNodeIdentity(this.#home)?.apiAddresses ?? [];
  }

  async join(): Promise<void> {
    const { apiAddress, token, name } = this.#options;
    const identity = await joinApi({ apiAddress, token, nodeName: name }, systemClock);
    this.nodeId = identity.nodeId;
    writeNodeIdentity(this.#home, identity);
  }

  /** A machine that was made, started and identified before. */
  plant(order: { assignmentId: string; vmRef: string }): void {
    const identity = identityMark({ ...nobody, owner: order.assignmentId, boot: 1 });
    this.world.plant({ vmRef: order.vmRef, owner: order.assignmentId });
    Object.assign(this.world.vms.get(order.vmRef)!, { startMode: 'warm', disk: 1, identity });
    this.world.sync(order.vmRef);
  }

  /** Starts hostd, on the machines as they are. */
  async start(): Promise<void> {
    const { guests, name, facts, onOrder } = this.#options;
    const guestListen = typeof guests === 'object' ? guests : undefined;
    const config = { home: this.#home, apiAddress: undefined, nodeName: name, guestListen, guestAddress: undefined };
    const link = openApiLink({ ...config, guestSocket: this.#guestSocket }, { clock: systemClock, log: silentLog });
    if (guests !== undefined) this.#opened = await link.open();
    const { driver, guests: door } = this.#options.hypervisor ?? this.#inMemory(facts);
    this.#stop = new AbortController();
    const hostd = new Hostd({
      desk: {
        ...link.desk,
        assignments: async (ask, signal) => {
          const list = await link.desk.assignments(ask, signal);
          for (const order of list.assignments) {
            if (this.#known.has(order.assignmentId)) continue;
            this.#known.add(order.assignmentId);
            onOrder?.(order);
          }
          return list;
        },
      },
      driver,
      guests: door,
      clock: systemClock,
      log: silentLog,
      identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot, version: order.identityVersion }),
      macOf: () => nobody.mac,
      nodeName: link.nodeName,
      version: '0.0.0',
      guestAddress: link.guestAddress,
      effectsMax: 8,
      drainMs: 1000,
      reclaim: 'on',
      reclaimRecord: { read: () => undefined, write: () => {} },
      bootTimeoutMs: 600_000,
      lookEveryMs: 3_000,
    });
    this.#ended = hostd.run(this.#stop.signal);
  }

  #inMemory(facts: Partial<NodeFacts> | undefined): { driver: Driver; guests: GuestDoor } {
    const driver = this.world.driver();
    const known = async () => ({ ...(await driver.facts()), ...facts });
    return {
      driver: Object.assign(Object.create(driver) as typeof driver, { facts: known }),
      guests: this.world.guests(),
    };
  }

  /** hostd goes; the machines stay. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#opened?.close();
    this.#opened = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    await this.guest?.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
