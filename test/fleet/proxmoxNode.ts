import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { openApiLink } from '../../hostd/apiLink.ts';
import { nobody } from '../../hostd/crashmatrix/world.ts';
import { Hostd } from '../../hostd/hostd.ts';
import { openProxmoxDriver, type ProxmoxDriver } from '../../hostd/hypervisor/proxmox/driver.ts';
import type { ProxmoxSettings } from '../../hostd/hypervisor/proxmox/settings.ts';
import { joinApi } from '../../hostd/joinApi.ts';
import { writeNodeIdentity } from '../../hostd/nodeIdentity.ts';
import { keysOf } from '../pve/driverWorld.ts';
import { ToldGuests } from '../pve/toldGuests.ts';

export interface ProxmoxNodeOptions {
  /** The API's node listener: `unix:/…`, or `https://…` with a join token. */
  apiAddress: string;
  token?: string;
  settings: ProxmoxSettings;
  /** Of hostd and its driver. */
  clock?: Clock;
}

/** hostd's real code with its real Proxmox VE driver before a double, joined to a real API. Guests answer as soon as their VM runs. */
export class ProxmoxNode {
  readonly name: string;
  readonly #options: ProxmoxNodeOptions;
  readonly #home = mkdtempSync(join(tmpdir(), 'lb-pve-node-'));
  /** VMs whose guests hang. */
  hanging: Set<string> = new Set();
  #driver: ProxmoxDriver | undefined;
  #stop = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: ProxmoxNodeOptions) {
    this.#options = options;
    this.name = options.settings.node;
  }

  async join(): Promise<void> {
    const { apiAddress, token = '', clock = systemClock } = this.#options;
    writeNodeIdentity(this.#home, await joinApi({ apiAddress, token, nodeName: this.name }, clock));
  }

  start(): void {
    const { settings, apiAddress, clock = systemClock } = this.#options;
    const at = { home: this.#home, nodeName: this.name, guestListen: undefined, guestAddress: undefined };
    const config = { ...at, guestSocket: join(this.#home, 'guest.sock') };
    const ofThisMachine = apiAddress.startsWith('unix:') ? apiAddress : undefined;
    const link = openApiLink({ ...config, apiAddress: ofThisMachine }, { clock, log: silentLog });
    const driver = openProxmoxDriver({ settings, clock, log: silentLog, keysOf });
    this.#driver = driver;
    const guests = new ToldGuests(driver);
    this.hanging = guests.hanging;
    this.#stop = new AbortController();
    const hostd = new Hostd({
      desk: link.desk,
      driver,
      guests,
      clock,
      log: silentLog,
      identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot, version: order.identityVersion }),
      macOf: () => nobody.mac,
      nodeName: link.nodeName,
      version: '0.0.0',
      guestAddress: link.guestAddress,
      effectsMax: 8,
      drainMs: 0,
      reclaim: 'on',
      reclaimRecord: { read: () => undefined, write: () => {} },
      bootTimeoutMs: 600_000,
      lookEveryMs: 3_000,
    });
    this.#ended = hostd.run(this.#stop.signal);
  }

  /** hostd goes; the machines stay. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    this.#driver?.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
