import { Fault } from '@lebureau/kit/fault';
import type { VmSeen } from '../driver.ts';
import { guestAddress } from './addressing.ts';
import { isBeingCloned } from './halfClone.ts';
import type { ListedVm } from './lists.ts';
import { isArrival, type VmMarker } from './marker.ts';
import type { VmRecord } from './records.ts';
import type { Site } from './site.ts';

type Power = Pick<VmSeen, 'power' | 'trouble'>;

/** What QEMU says of a VM whose process runs. */
const powerOf: Readonly<Record<string, Power>> = {
  running: { power: 'running' },
  paused: { power: 'paused' },
  prelaunch: { power: 'paused' },
  suspended: { power: 'paused' },
  'io-error': { power: 'paused', trouble: 'Its storage has no room, so it was halted. It goes on when there is room.' },
  'guest-panicked': { power: 'broken', trouble: 'Its kernel panicked. Restart it.' },
  'internal-error': { power: 'broken', trouble: 'QEMU reports an internal error. Restart it.' },
  shutdown: { power: 'broken', trouble: 'It ended, and its process did not. Restart it.' },
};

/** @throws Fault while the VM's node is away: nothing is known of it then. */
export function powerSeen(vm: ListedVm, lock: string | undefined): Power {
  if (vm.status === 'unknown')
    throw new Fault('hypervisor_failed', `Node ${vm.node}, which holds the virtual machine, does not answer.`);
  // A backup of a VM that is off runs its QEMU without its CPU.
  const isBackup = lock === 'backup' && vm.qmpStatus === 'prelaunch';
  if (vm.status !== 'running' || isBackup) return { power: 'off' };
  return powerOf[vm.qmpStatus ?? 'running'] ?? { power: 'running' };
}

export async function seeVm(site: Site, vm: ListedVm, record: VmRecord): Promise<VmSeen> {
  const { marker } = record;
  const seen = powerSeen(vm, record.lock);
  const boot = marker?.boot ?? 0;
  const isOff = seen.power === 'off' && boot > 0 && marker !== undefined;
  const { vmids, guestNetwork } = site.settings;
  return {
    vmRef: record.name ?? `vm-${vm.vmid}`,
    owner: marker?.owner,
    complete: marker?.complete === true && !isBeingCloned(record),
    ...seen,
    boot,
    startMode: boot > 0 ? 'cold' : undefined,
    offBecause: isOff ? await whyOff(site, vm, marker) : undefined,
    address: guestAddress(vm.vmid, vmids, guestNetwork),
    ...moveSeen(site, vm, marker),
  };
}

/** The lock is taken from the list, which is newer than what is remembered of the configuration. */
function moveSeen(site: Site, vm: ListedVm, marker: VmMarker | undefined): Partial<VmSeen> {
  const { node } = site.settings;
  const moving = vm.lock === 'migrate' ? { moving: true } : {};
  if (marker === undefined) return moving;
  const { home, identity } = marker;
  if (isArrival(marker, { ...vm, own: node })) return { ...moving, identity, arrivedAt: node };
  const isAway = vm.node !== node && marker.moving?.to === vm.node;
  return {
    ...moving,
    identity,
    ...(home === node ? {} : { movedTo: home }),
    ...(home === node && isAway ? { arrivedAt: vm.node } : {}),
  };
}

/**
 * Proxmox VE does not tell a guest that powered itself off from a QEMU that died, so the former is said unless the node
 * was started anew since. Undefined: the start never ran.
 */
async function whyOff(site: Site, vm: ListedVm, marker: VmMarker): Promise<VmSeen['offBecause']> {
  if (marker.stopAsked === marker.boot) return 'requested';
  // It moved: only what runs, or ran, is moved by the cluster.
  if (marker.startNode !== vm.node) return 'guest';
  const last = await lastStart(site, vm);
  if (last === undefined || last.upid === marker.startBefore || last.status !== 'OK') return undefined;
  // All of it by the clock of that node: ours and those of other nodes may be minutes apart from it.
  const node = site.client.api.nodes.$(vm.node);
  const [{ uptime }, { time }] = (await Promise.all([node.status.$get(), node.time.$get()])) as unknown as [
    { uptime: number },
    { time: number },
  ];
  return last.starttime < time - uptime ? 'crashed' : 'guest';
}

export interface StartTask {
  upid: string;
  status?: string;
  /** Seconds since 1970, of the node's clock. */
  starttime: number;
}

/** The last start that has ended. Ids are used again, so it may be that of an earlier VM. */
export async function lastStart(site: Site, place: { node: string; vmid: number }): Promise<StartTask | undefined> {
  const tasks = (await site.client.api.nodes
    .$(place.node)
    .tasks.$get({ vmid: place.vmid, typefilter: 'qmstart', limit: 1 })) as unknown as StartTask[];
  return tasks[0];
}
