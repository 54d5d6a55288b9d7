import { Fault } from '@lebureau/kit/fault';
import type { StartOptions } from '../driver.ts';
import { changeVm, type ConfigChange } from './change.ts';
import { says } from './faults.ts';
import { requireVm } from './find.ts';
import { accessFor, closeIn } from './firewall.ts';
import type { ListedVm } from './lists.ts';
import type { VmMarker } from './marker.ts';
import { lastStart, powerSeen } from './observe.ts';
import type { VmRecord } from './records.ts';
import { vmApi, type Site } from './site.ts';
import { finishTask } from './task.ts';

/** How long Proxmox VE waits for a guest that was asked to power off. hostd cuts it when its own patience ends. */
const shutdownSeconds = 600;

export interface StartParts {
  site: Site;
  /** Networks no guest may reach, as they are now. */
  blocked: () => Promise<readonly string[]>;
}

export async function startVm({ site, blocked }: StartParts, vmRef: string, start: StartOptions): Promise<void> {
  const { vm, record } = await requireMarked(site, vmRef);
  const { power, trouble } = powerSeen(vm, record.lock);
  if (power === 'running') return;
  if (power === 'paused' && record.marker.boot === start.boot) return resume(site, vm, trouble);
  if (power !== 'off') throw new Fault('hypervisor_failed', 'It is not off, so it cannot be started anew.');
  const { network, boot } = record.marker;
  // Nodes may have joined since, and settings changed. Before the first start that was done a moment ago.
  if (boot > 0 && network !== undefined) await closeIn(site, vm, accessFor(site.settings, network, await blocked()));
  const before = await lastStart(site, vm);
  const marker: VmMarker = {
    ...record.marker,
    boot: start.boot,
    startBefore: before?.upid,
    startNode: vm.node,
    stopAsked: undefined,
  };
  await changeVm(site, record, { marker, config: networkOf(site, marker.identity?.mac ?? start.mac) });
  await run(site, () => vmApi(site, vm).status.start.$post(), /already running/i);
}

function networkOf(site: Site, mac: string): ConfigChange {
  return { net0: `virtio=${mac.toUpperCase()},bridge=${site.settings.bridge},firewall=1` };
}

/** A halted guest keeps its memory. */
async function resume(site: Site, vm: ListedVm, trouble: string | undefined): Promise<void> {
  await run(site, () => vmApi(site, vm).status.resume.$post());
  if (trouble === undefined) return;
  const now = await vmApi(site, vm).status.current.$get();
  if (now.qmpstatus === 'io-error') throw new Fault('disk_full', trouble);
}

export async function askToStop(site: Site, vmRef: string): Promise<void> {
  const { vm, record } = await requireMarked(site, vmRef);
  if (powerSeen(vm, record.lock).power === 'off') return;
  await noteStop(site, record);
  await vmApi(site, vm).status.shutdown.$post({ timeout: shutdownSeconds });
}

/** Cuts the power; a shutdown that still waits gives way. */
export async function cutPower(site: Site, vmRef: string): Promise<void> {
  const { vm, record } = await requireMarked(site, vmRef);
  if (powerSeen(vm, record.lock).power === 'off') return;
  // A shutdown that runs holds the lock that this would wait for; then it was noted before.
  if (record.marker.stopAsked !== record.marker.boot) await noteStop(site, record);
  await stopNow(site, vm);
}

export async function stopNow(site: Site, vm: ListedVm): Promise<void> {
  const order = { 'overrule-shutdown': true } as Parameters<ReturnType<typeof vmApi>['status']['stop']['$post']>[0];
  await run(site, () => vmApi(site, vm).status.stop.$post(order), /not running/i);
}

async function noteStop(site: Site, record: VmRecord & { marker: VmMarker }): Promise<void> {
  const { marker } = record;
  if (marker.stopAsked === marker.boot) return;
  await changeVm(site, record, { marker: { ...marker, stopAsked: marker.boot } });
}

/** @param fine a refusal that says that it is so already. */
async function run(site: Site, order: () => Promise<string>, fine?: RegExp): Promise<void> {
  try {
    await finishTask(site, await order());
  } catch (error) {
    if (fine === undefined || !says(error, fine)) throw error;
  }
}

/** Nothing without our marker is ever touched. @throws Fault `vm_missing`, `not_ours` */
async function requireMarked(
  site: Site,
  vmRef: string,
): Promise<{ vm: ListedVm; record: VmRecord & { marker: VmMarker } }> {
  const { vm, record } = await requireVm(site, vmRef);
  const { marker } = record;
  if (marker === undefined) throw new Fault('not_ours', `Virtual machine ${vmRef} carries no owner marker.`);
  if (marker.home !== site.settings.node)
    throw new Fault('hypervisor_failed', `Virtual machine ${vmRef} is looked after by node ${marker.home}.`);
  return { vm, record: { ...record, marker } };
}
