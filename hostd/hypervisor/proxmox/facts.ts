import { createHash } from 'node:crypto';
import { describeError } from '@lebureau/kit/fault';
import { within } from '../../limit.ts';
import type { NodeFacts } from '../driver.ts';
import type { ListedVm } from './lists.ts';
import { SharedCall } from './sharedCall.ts';
import type { Site } from './site.ts';
import { rootDisk } from './rootDisk.ts';
import { templateSeen, templatesOf } from './templates.ts';

const slowGoodMs = 60_000;
const storageMaxMs = 4_000;

interface NodeStatus {
  cpuinfo: { cpus: number; hvm?: string | number };
  memory: { total: number };
}

interface ClusterRow {
  type?: string;
  name?: string;
  ip?: string;
}

type Disk = Pick<NodeFacts, 'diskFreeMiB' | 'diskHeldMiB'>;

/** What changes seldom is asked for once a minute. */
export class PveFacts {
  readonly #site: Site;
  readonly #version: SharedCall<string>;
  readonly #firewall: SharedCall<boolean>;
  readonly #members: SharedCall<ClusterRow[]>;
  readonly #cluster: SharedCall<string | undefined>;
  #disk: Disk = { diskFreeMiB: 0, diskHeldMiB: {} };

  constructor(site: Site) {
    this.#site = site;
    const { clock } = site;
    const { api } = site.client;
    this.#version = new SharedCall(async () => (await api.version.$get()).version, clock, slowGoodMs);
    this.#firewall = new SharedCall(
      async () => Number((await api.cluster.firewall.options.$get()).enable ?? 0) === 1,
      clock,
      slowGoodMs,
    );
    this.#members = new SharedCall(async () => (await api.cluster.status.$get()) as ClusterRow[], clock, slowGoodMs);
    this.#cluster = new SharedCall(() => this.#clusterId(), clock, slowGoodMs);
  }

  /**
   * Names are not unique, so the certificates of all members belong to it: hostds that see the same ones see one cluster.
   * And so does what they must have alike, or a VM of one would be nothing to the other. Undefined on a node that stands
   * alone.
   */
  async #clusterId(): Promise<string | undefined> {
    const cluster = (await this.#members.get()).find((row) => row.type === 'cluster');
    if (cluster === undefined) return undefined;
    const nodes = (await this.#site.client.api.nodes.$get()) as unknown as { node: string; ssl_fingerprint?: string }[];
    const members = nodes.map(({ node, ssl_fingerprint: print }) => `${node} ${print ?? ''}`).toSorted();
    const { vmids, guestNetwork, bridge, pool } = this.#site.settings;
    const alike = [vmids.first, vmids.last, guestNetwork.cidr, guestNetwork.gateway, bridge, pool];
    const digest = createHash('sha256')
      .update(JSON.stringify([members, alike]))
      .digest('hex');
    return `${cluster.name}:${digest}`;
  }

  /** The nodes' addresses and what the operator closed: IPv4, for the firewall has IPv6 closed anyway. */
  async blocked(): Promise<string[]> {
    const addresses = (await this.#members.get()).flatMap((row) => (row.type === 'node' ? (row.ip ?? []) : []));
    const nodes = addresses.filter((address) => !address.includes(':'));
    return [...nodes, ...this.#site.settings.guestNetwork.blocked];
  }

  async read(): Promise<NodeFacts> {
    const { client, settings } = this.#site;
    const node = client.api.nodes.$(settings.node);
    const [version, status, disk, isFirewallOn, templates, cluster] = await Promise.all([
      this.#version.get(),
      node.status.$get() as unknown as Promise<NodeStatus>,
      this.#diskInTime(),
      this.#firewall.get(),
      templateSeen(this.#site),
      this.#cluster.get(),
    ]);
    return {
      ...acceleratorOf(status),
      hypervisorVersion: `Proxmox VE ${version}`,
      vcpus: status.cpuinfo.cpus,
      memoryMiB: Math.floor(status.memory.total / 2 ** 20),
      ...disk,
      network: isFirewallOn ? 'isolated' : 'none',
      networkReason: isFirewallOn
        ? 'Each guest is closed in by the firewall of Proxmox VE.'
        : 'The firewall of the datacenter is off, so guests would not be closed in. Run `bun hostd/main.ts doctor`.',
      templates,
      ...(cluster === undefined ? {} : { cluster: { id: cluster, member: settings.node } }),
    };
  }

  /** A storage that hangs must not make the whole node silent: then what it said last is said. */
  async #diskInTime(): Promise<Disk> {
    const { clock } = this.#site;
    const limit = { clock, limitMs: storageMaxMs, code: 'hypervisor_failed', doing: 'ask the storage what is free' };
    try {
      this.#disk = await within(this.#readDisk(), limit);
    } catch (error) {
      this.#site.log.warn('storage did not answer', { error: describeError(error) });
    }
    return this.#disk;
  }

  /** Of the storage that clones go to: the one that is set, or that of the first template. */
  async #readDisk(): Promise<Disk> {
    const { client, settings } = this.#site;
    const template = settings.storage === undefined ? (await templatesOf(this.#site))[0] : undefined;
    const storage = settings.storage ?? (template && rootDisk(template.record.config)?.storage);
    if (storage === undefined) return { diskFreeMiB: 0, diskHeldMiB: {} };
    const { avail = 0, used = 0 } = (await client.api.nodes.$(settings.node).storage.$(storage).status.$get()) as {
      avail?: number;
      used?: number;
    };
    const vms = await this.#site.lists.ofNode();
    return { diskFreeMiB: Math.floor(avail / 2 ** 20), diskHeldMiB: shareOf(vms, used / 2 ** 20) };
  }
}

/**
 * Not every storage tells what a thin disk holds by now, so each VM counts with its size; all together with no more than
 * the storage has in use.
 */
function shareOf(vms: readonly ListedVm[], usedMiB: number): Disk['diskHeldMiB'] {
  const disks = vms.flatMap(({ isTemplate, name, diskMiB = 0 }) =>
    isTemplate || name === undefined ? [] : [{ name, diskMiB }],
  );
  const sumMiB = disks.reduce((sum, vm) => sum + vm.diskMiB, 0);
  const share = Math.min(1, usedMiB / Math.max(1, sumMiB));
  return Object.fromEntries(disks.map((vm) => [vm.name, Math.floor(vm.diskMiB * share)]));
}

function acceleratorOf({ cpuinfo }: NodeStatus): Pick<NodeFacts, 'accelerator' | 'acceleratorReason'> {
  return String(cpuinfo.hvm ?? '1') === '1'
    ? { accelerator: 'kvm', acceleratorReason: 'Proxmox VE runs virtual machines by KVM.' }
    : { accelerator: 'tcg', acceleratorReason: 'The node has no hardware virtualisation (hvm in /nodes/…/status).' };
}
