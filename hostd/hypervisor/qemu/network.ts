import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { linkAlias } from './abandoned.ts';
import { addressing, slotOfNamespace, slotsMax, type Addressing } from './addressing.ts';
import { runCommand } from './command.ts';
import { processesOf } from './process.ts';
import { chooseResolver } from './resolver.ts';
import { hostRules, namespaceRules, tableName } from './rules.ts';

export interface NetworkOptions {
  home: string;
  block: number;
  uidBase: number;
  /** IPv4 address of the resolver guests use; the host's own when undefined. */
  resolver?: string;
  /** Namespaces kept ready. Making one takes some 30 ms, which a clone should not wait for. */
  poolSize: number;
  /** Guests are wired by whoever opened the driver: nothing is set up here but the slots. */
  isWired?: boolean;
  clock: Clock;
  log: Log;
}

const namespaceFolder = '/run/netns';
const rulesCheckIntervalMs = 30_000;

/** Network namespaces of the guests of one home. Rules come first, addresses after them, QEMU last: it fails closed. */
export class GuestNetwork {
  readonly #options: NetworkOptions;
  readonly #used = new Set<number>();
  readonly #made = new Set<number>();
  readonly #pool: number[] = [];
  #lastSlot = -1;
  #filling: Promise<void> | undefined;
  #checkedAtMs = -Infinity;
  #resolver: string | undefined;

  /** True: every guest has a namespace of its own. */
  isolated = false;
  reason = 'The network was not set up yet.';
  /** Given to QEMU in place of the host's resolv.conf. */
  resolvFile: string | undefined;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** @param live slots whose QEMU runs. @param known slots that VMs hold. Every other namespace of ours is a leftover. */
  async open(live: ReadonlySet<number>, known: ReadonlySet<number>): Promise<void> {
    for (const slot of known) this.#used.add(slot);
    if (this.#options.isWired) {
      this.reason = 'Guests are wired to a bridge that is not ours.';
      return;
    }
    if (process.geteuid?.() !== 0) {
      this.reason = 'hostd is not root, so guests have no network; connections from hostd to them work.';
      return;
    }
    try {
      this.#chooseResolver();
      await this.#loadHostRules();
      this.#allowForwarding();
      await this.#removeLeftovers(live);
      this.isolated = true;
      await this.#fillPool(1);
      this.reason = this.#resolver
        ? `Each guest has its own network namespace; names are resolved by ${this.#resolver}.`
        : 'Each guest has its own network namespace, but the host names no resolver that they can reach.';
      this.#refill();
    } catch (error) {
      this.isolated = false;
      this.reason = `Network namespaces or nftables do not work here (${describeError(error)}), so guests have no network.`;
    }
  }

  address(slot: number): Addressing {
    return addressing(this.#options.block, slot, this.#options.uidBase);
  }

  /** The slot whose uid this is. */
  slotOf(uid: number): number {
    return uid - this.address(0).uid;
  }

  /** Path of the namespace that QEMU enters. */
  namespacePath(slot: number): string {
    return join(namespaceFolder, this.address(slot).namespace);
  }

  /** A slot nobody holds, with its namespace where one is ready. */
  take(): number {
    const slot = this.#pool.shift() ?? this.#nextSlot();
    this.#used.add(slot);
    this.#refill();
    return slot;
  }

  /** Its namespace exists and is whole when this resolves. */
  async ensure(slot: number): Promise<void> {
    if (!this.isolated) return;
    const address = this.address(slot);
    if (this.#made.has(slot) && existsSync(this.namespacePath(slot)) && existsSync(`/sys/class/net/${address.link}`))
      return;
    await this.#make(slot);
  }

  async release(slot: number): Promise<void> {
    if (this.isolated) await this.#remove(slot);
    this.#used.delete(slot);
  }

  /** Loads the host's rules again when somebody flushed them. */
  async verify(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.isolated || nowMs - this.#checkedAtMs < rulesCheckIntervalMs) return;
    this.#checkedAtMs = nowMs;
    try {
      await runCommand('nft', ['list', 'chain', 'inet', tableName(this.#options.block), 'fromGuest']);
    } catch {
      this.#options.log.warn('network rules were gone and are loaded again');
      await this.#loadHostRules();
    }
  }

  /** Ends the making of namespaces and removes those nobody holds; the rules stay as long as a VM has one. */
  async close(): Promise<void> {
    this.#options.poolSize = 0;
    await this.#filling;
    for (const slot of this.#pool.splice(0)) await this.release(slot);
    if (!this.isolated || this.#made.size > 0) return;
    await runCommand('nft', ['delete', 'table', 'inet', tableName(this.#options.block)]).catch(() => ''); // gone already
  }

  /** Never one whose uid a process runs as: it could write to the disk of the new VM. */
  #nextSlot(): number {
    const running = this.#runningSlots();
    for (let step = 1; step <= slotsMax; step++) {
      const slot = (this.#lastSlot + step) % slotsMax;
      if (this.#used.has(slot) || running.has(slot)) continue;
      this.#lastSlot = slot;
      this.#used.add(slot);
      return slot;
    }
    throw new Error(`all ${slotsMax} slots of this node are taken`);
  }

  #runningSlots(): Set<number> {
    const seen = processesOf((uid) => this.slotOf(uid) >= 0 && this.slotOf(uid) < slotsMax);
    return new Set(seen.map((each) => this.slotOf(each.uid)));
  }

  #refill(): void {
    if (!this.isolated || this.#filling) return;
    this.#filling = this.#fillPool(this.#options.poolSize)
      .catch((error: unknown) =>
        this.#options.log.warn('namespace was not made ahead', { error: describeError(error) }),
      )
      .finally(() => (this.#filling = undefined));
  }

  async #fillPool(size: number): Promise<void> {
    while (this.#pool.length < Math.min(size, this.#options.poolSize)) {
      const slot = this.#nextSlot();
      try {
        await this.#make(slot);
        this.#pool.push(slot);
      } catch (error) {
        this.#used.delete(slot);
        throw error;
      }
    }
  }

  async #make(slot: number): Promise<void> {
    const address = this.address(slot);
    await this.#remove(slot);
    try {
      const alias = linkAlias(this.#options.home, this.#options.uidBase);
      await runCommand('ip', ['-batch', '-'], { stdin: hostCommands(address, alias) });
      const inside = ['/bin/sh', '-c', insideScript(address), 'sh', namespaceRules(address, this.#resolver)];
      await runCommand('nsenter', [`--net=${this.namespacePath(slot)}`, '--', ...inside]);
      this.#made.add(slot);
    } catch (error) {
      await this.#remove(slot);
      throw error;
    }
  }

  async #remove(slot: number): Promise<void> {
    this.#made.delete(slot);
    const address = this.address(slot);
    const commands = [
      ...(existsSync(`/sys/class/net/${address.link}`) ? [`link del ${address.link}`] : []),
      ...(existsSync(this.namespacePath(slot)) ? [`netns del ${address.namespace}`] : []),
    ];
    if (commands.length > 0) await runCommand('ip', ['-force', '-batch', '-'], { stdin: `${commands.join('\n')}\n` });
  }

  async #removeLeftovers(live: ReadonlySet<number>): Promise<void> {
    const names = existsSync(namespaceFolder) ? readdirSync(namespaceFolder) : [];
    for (const name of names) {
      const slot = slotOfNamespace(this.#options.block, name);
      if (slot === undefined) continue;
      if (live.has(slot)) this.#made.add(slot);
      else await this.#remove(slot);
    }
  }

  async #loadHostRules(): Promise<void> {
    await runCommand('nft', ['-f', '-'], {
      stdin: hostRules({ block: this.#options.block, resolver: this.#resolver }),
    });
  }

  #chooseResolver(): void {
    const choice = chooseResolver({
      hostFile: readIfThere('/etc/resolv.conf'),
      upstreamFile: readIfThere('/run/systemd/resolve/resolv.conf'),
      wanted: this.#options.resolver,
    });
    this.#resolver = choice.address;
    if (!choice.ownFile) return;
    this.resolvFile = join(this.#options.home, 'resolv.conf');
    writeFileSync(this.resolvFile, `nameserver ${choice.address}\n`, { mode: 0o644 });
  }

  #allowForwarding(): void {
    const path = '/proc/sys/net/ipv4/ip_forward';
    if (readFileSync(path, 'utf8').trim() === '1') return;
    writeFileSync(path, '1');
    this.#options.log.info('IPv4 forwarding was turned on for the guests');
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function hostCommands(address: Addressing, alias: string): string {
  return [
    `netns add ${address.namespace}`,
    `link add ${address.link} type veth peer name eth0 netns ${address.namespace}`,
    `link set dev ${address.link} alias "${alias.slice(0, 255)}"`,
    `addr add ${address.hostAddress}/31 dev ${address.link}`,
    `link set ${address.link} up`,
    '',
  ].join('\n');
}

/**
 * Run inside the namespace with the rules as $1. Ports below 1024 are opened for unprivileged QEMU, so that a guest's
 * port N is port N here. Loopback stays down: there is nothing a guest could want from it.
 */
function insideScript(address: Addressing): string {
  return [
    'set -e',
    'printf %s "$1" | nft -f -',
    'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start',
    'test ! -e /proc/sys/net/ipv6/conf/all/disable_ipv6 || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
    `printf '%s\\n' 'addr add ${address.guestAddress}/31 dev eth0' 'link set eth0 up' 'route add default via ${address.hostAddress}' | ip -batch -`,
  ].join('\n');
}
