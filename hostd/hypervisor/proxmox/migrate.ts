import { Fault } from '@lebureau/kit/fault';
import type { MoveSpec } from '../driver.ts';
import { changeVm } from './change.ts';
import { requireVm } from './find.ts';
import type { ListedVm } from './lists.ts';
import { isArrival, type VmMarker, writeVmMarker } from './marker.ts';
import type { VmRecord } from './records.ts';
import { homeTag, vmApi, type Site } from './site.ts';
import { finishTask } from './task.ts';

/** Disks may travel with it. */
const moveMaxMs = 3_600_000;
/** Waiting for a move that runs, beginning one, settling: more rounds than that mean that somebody else moves it, too. */
const roundsMax = 4;

interface Owned {
  vm: ListedVm;
  record: VmRecord & { marker: VmMarker };
}

/** Looks again before every step, so it goes on wherever a lost answer or another process has left it. */
export async function migrateVm(site: Site, move: MoveSpec): Promise<void> {
  for (let rounds = 0; rounds < roundsMax; rounds++) {
    const owned = await requireOwned(site, move);
    const { vm, record } = owned;
    if (record.marker.home === move.to && vm.node === move.to) return;
    if (isArrivalHere(site, owned)) {
      // Before it goes on: whose node is gone cannot be asked for tasks, and a home is where the disks are.
      await settle(site, record, { ...move, to: vm.node });
      if (vm.node === move.to) return;
      continue;
    }
    if (await waitForMove(site, owned)) continue;
    if (vm.node === move.to) return settle(site, record, move);
    await beginMove(site, owned, move);
  }
  throw new Fault('hypervisor_failed', `Virtual machine ${move.vmRef} does not arrive at node ${move.to}.`);
}

async function requireOwned(site: Site, { vmRef, owner, to }: MoveSpec): Promise<Owned> {
  site.lists.outdate();
  const { vm, record } = await requireVm(site, vmRef);
  const { marker } = record;
  if (marker?.owner !== owner) throw new Fault('not_ours', 'Another owner holds the name.');
  const owned = { vm, record: { ...record, marker } };
  const mayMove = marker.home === site.settings.node || isArrivalHere(site, owned);
  const isThere = marker.home === to && vm.node === to;
  if (!mayMove && !isThere)
    throw new Fault('not_ours', `The hostd of node ${marker.home} looks after virtual machine ${vmRef}.`);
  return owned;
}

function isArrivalHere(site: Site, { vm, record }: Owned): boolean {
  return isArrival(record.marker, { node: vm.node, lock: record.lock, own: site.settings.node });
}

/**
 * @returns whether one was waited for, whoever ordered it.
 * @throws Fault `needs_operator` when only its lock is left: the node lost power in the middle.
 */
async function waitForMove(site: Site, { vm, record }: Owned): Promise<boolean> {
  const nodes = new Set([vm.node, record.marker.moving?.from ?? vm.node]);
  const task = await runningMove(site, vm.vmid, nodes);
  if (task !== undefined) {
    await finishTask(site, task, moveMaxMs);
    return true;
  }
  if (record.lock !== 'migrate') return false;
  // It may have ended between the two requests.
  const now = await site.records.read(vm).catch(() => undefined);
  if (now?.lock !== 'migrate' || (await runningMove(site, vm.vmid, nodes)) !== undefined) return true;
  throw new Fault(
    'needs_operator',
    `A migration of virtual machine ${vm.vmid} was cut off: look where its disks are, then run "qm unlock ${vm.vmid}" on node ${vm.node}.`,
  );
}

async function runningMove(site: Site, vmid: number, nodes: Iterable<string>): Promise<string | undefined> {
  for (const node of nodes) {
    const tasks = (await site.client.api.nodes
      .$(node)
      .tasks.$get({ source: 'active', typefilter: 'qmigrate', vmid })) as unknown as {
      upid: string;
      endtime?: number;
    }[];
    const running = tasks.find((task) => task.endtime === undefined);
    if (running !== undefined) return running.upid;
  }
  return undefined;
}

interface Precheck {
  running?: number | boolean;
  local_disks?: { volid?: string }[];
  local_resources?: string[];
  not_allowed_nodes?: Record<string, { unavailable_storages?: string[] } | undefined>;
}

async function beginMove(site: Site, { vm, record }: Owned, { to, identity }: MoveSpec): Promise<void> {
  const api = vmApi(site, vm);
  const check = (await api.migrate.$get({ target: to })) as unknown as Precheck;
  refuse(check, to);
  const isRunning = Number(check.running ?? 0) === 1;
  const from = vm.node;
  // What arrives is settled from this mark on, even by who knows of no order, and by the node there should this one be gone.
  const marker = { ...record.marker, moving: { from, to }, identity: record.marker.identity ?? identity };
  if (writeVmMarker(marker) !== writeVmMarker(record.marker)) await changeVm(site, record, { marker });
  const hasLocalDisks = (check.local_disks ?? []).length > 0;
  const order = {
    target: to,
    ...(isRunning ? { online: true } : {}),
    ...(hasLocalDisks ? { 'with-local-disks': true } : {}),
  };
  await finishTask(site, await api.migrate.$post(order), moveMaxMs);
}

/** Proxmox VE refuses it in the middle, and in words that tell nobody what to do. @throws Fault `move_refused` */
function refuse(
  { local_disks: disks = [], local_resources: devices = [], not_allowed_nodes: closed }: Precheck,
  to: string,
): void {
  const lacks = closed?.[to]?.unavailable_storages ?? [];
  const why =
    devices.length > 0
      ? `It uses devices of its node: ${devices.join(', ')}.`
      : lacks.length > 0
        ? `Node ${to} does not have the storage ${lacks.join(', ')}.`
        : disks.some(({ volid }) => isLinked(volid ?? ''))
          ? 'Its disk is a linked clone on storage that only its node has; on shared storage, LVM-thin or as a full clone (LEBUREAU_PVE_STORAGE) it could be moved.'
          : undefined;
  if (why !== undefined) throw new Fault('move_refused', why);
}

/** Such as `local:9001/base-9001-disk-0.qcow2/100/vm-100-disk-0.qcow2`; LVM-thin names no base, and copies all. */
function isLinked(volid: string): boolean {
  return /[:/]base-[^/]+\/(\d+\/)?vm-/.test(volid);
}

/** The mark of its new home and its tag change together. */
async function settle(site: Site, record: Owned['record'], { to, identity }: MoveSpec): Promise<void> {
  const marker = { ...record.marker, home: to, moving: undefined, identity: record.marker.identity ?? identity };
  const others = String(record.config.tags ?? '')
    .split(/[;, ]/)
    .filter((tag) => tag !== '' && !tag.startsWith(homeTag('')));
  await changeVm(site, record, { marker, config: { tags: [...others, homeTag(to)].join(';') } });
}
