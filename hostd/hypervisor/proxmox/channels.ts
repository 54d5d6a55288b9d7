import type { Duplex } from 'node:stream';
import { Fault } from '@lebureau/kit/fault';
import { SshConnection } from '../../guest/ssh/connection.ts';
import { connectTcp } from '../tcp.ts';
import { guestAddress } from './addressing.ts';
import { seedGuest } from './guestSeed.ts';
import { vmApi, type Site, type VmPlace } from './site.ts';
import { connectWebSocket } from './webSocket.ts';

/** Speaks the protocol of hostd/template/init/PROTOCOL.md on its standard input and output. */
const initCommand = '/usr/lib/lebureau/init --device stdio';
const sshPort = 22;
/** A guest with its keys answers at once; one without them is given them by its agent. */
const quickLimits = { loginTimeoutMs: 4_000, channelTimeoutMs: 5_000 };
const rememberedMax = 10_000;

export interface RunningGuest extends VmPlace {
  vmRef: string;
  owner: string;
  boot: number;
}

/** Ways into running guests. */
export class GuestChannels {
  readonly #site: Site;
  readonly #connections = new Map<string, SshConnection>();
  /** Guests that were given their keys, by VM and boot. */
  readonly #seeded = new Set<string>();

  constructor(site: Site) {
    this.#site = site;
  }

  /**
   * The init program over SSH: the guest agent would cost two calls of the API, 250 ms and a worker of the node for each
   * message. The agent only brings what SSH needs, once after the first start or when logging in fails.
   */
  async openInit(guest: RunningGuest): Promise<Duplex> {
    this.forget(guest.vmRef);
    const key = `${guest.vmid}:${guest.boot}`;
    const hasKeys = guest.boot > 1 || this.#seeded.has(key);
    if (hasKeys) {
      const stream = await this.#login(guest).catch(() => undefined);
      if (stream !== undefined) return stream;
    }
    await seedGuest(this.#site, guest, guest.owner);
    if (this.#seeded.size > rememberedMax) this.#seeded.clear();
    this.#seeded.add(key);
    return this.#login(guest);
  }

  async #login(guest: RunningGuest): Promise<Duplex> {
    const { clock, log } = this.#site;
    const keys = this.#site.keysOf(guest.owner);
    const connection = new SshConnection({
      openStream: () => this.openPort(guest, sshPort),
      username: 'root',
      privateKey: keys.clientKey.privateKey,
      hostKey: keys.hostKey.publicKey,
      clock,
      log,
      limits: quickLimits,
    });
    try {
      const stream = await connection.openProgram(initCommand);
      this.#connections.get(guest.vmRef)?.close();
      this.#connections.set(guest.vmRef, connection);
      stream.once('close', () => {
        connection.close();
        if (this.#connections.get(guest.vmRef) === connection) this.#connections.delete(guest.vmRef);
      });
      return stream;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  openPort(guest: VmPlace, port: number): Promise<Duplex> {
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      return Promise.reject(new Fault('guest_unreachable', 'no such port'));
    const { vmids, guestNetwork } = this.#site.settings;
    return connectTcp(guestAddress(guest.vmid, vmids, guestNetwork), port);
  }

  /**
   * The hypervisor's own display, or the guest's where one is configured. The ticket is good for one connection within ten seconds; older versions take its
   * first characters as the password, which is what VNC authentication reads of any password.
   */
  async openDisplay(guest: VmPlace): Promise<{ stream: Duplex; password?: string }> {
    const { endpoint, guestVncPort } = this.#site.settings;
    if (guestVncPort !== undefined) return { stream: await this.openPort(guest, guestVncPort) };
    const ask = await vmApi(this.#site, guest).vncproxy.$post({ websocket: true });
    const query = new URLSearchParams({ port: String(ask.port), vncticket: ask.ticket });
    const path = `/api2/json/nodes/${guest.node}/qemu/${guest.vmid}/vncwebsocket?${query.toString()}`;
    const stream = await connectWebSocket(endpoint, { path, token: this.#site.token.text });
    return { stream, password: ask.password ?? ask.ticket };
  }

  /** Its VM stops, or another channel takes the place of the open one. */
  forget(vmRef: string): void {
    this.#connections.get(vmRef)?.close();
    this.#connections.delete(vmRef);
  }

  closeAll(): void {
    for (const vmRef of this.#connections.keys()) this.forget(vmRef);
  }
}
