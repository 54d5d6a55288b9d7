import { Fault } from '@lebureau/kit/fault';
import type { VmSpec } from '../driver.ts';
import type { Slots } from '../../limit.ts';
import { guestAddress, prefixOf, vmidsToTry } from './addressing.ts';
import { changeVm } from './change.ts';
import { rootDisk } from './rootDisk.ts';
import { isTaken, says } from './faults.ts';
import { ownedVm } from './find.ts';
import { accessFor, closeIn } from './firewall.ts';
import { isBeingCloned, isCloneDraft, readOrReveal, removeUnstarted, type HalfClones } from './halfClone.ts';
import type { ListedVm } from './lists.ts';
import { writeVmMarker, type VmMarker } from './marker.ts';
import type { VmRecord } from './records.ts';
import { homeTag, vmApi, type Site } from './site.ts';
import { finishTask, fullCloneMaxMs } from './task.ts';
import { requireTemplate, type PveTemplate } from './templates.ts';

export interface CloneParts {
  site: Site;
  halfClones: HalfClones;
  /** Full clones copy whole disks: one or two at a time is what a storage bears. */
  fullClones: Slots;
  /** Networks no guest may reach: the nodes' own addresses and what the operator closed. */
  blocked: () => Promise<readonly string[]>;
}

const clonesMax = 2;

export async function cloneVm(parts: CloneParts, spec: VmSpec): Promise<void> {
  const { site } = parts;
  const there = await ownedVm(site, spec.vmRef);
  let record = there?.record;
  if (record !== undefined && there !== undefined) {
    if (record.marker?.owner !== spec.owner) throw new Fault('not_ours', 'Another owner holds the name.');
    if (isBeingCloned(record)) record = await parts.halfClones.settle(site, there.vm);
    else if (record.marker.complete) return;
    if (record !== undefined && !(await isWhole(site, record))) record = undefined;
  }
  record ??= await makeClone(parts, spec);
  await complete(parts, record, spec);
}

/** Takes the first id that nobody holds. @throws Fault `template_missing`, `disk_full`, … */
async function makeClone(parts: CloneParts, spec: VmSpec): Promise<VmRecord> {
  const { site } = parts;
  const template = await requireTemplate(site, spec.templateId);
  const taken = new Map<number, ListedVm>();
  for (const vm of [...(await site.lists.ofCluster()), ...(await site.lists.ofNode())]) taken.set(vm.vmid, vm);
  for (const vmid of vmidsToTry(spec.vmRef, site.settings.vmids)) {
    const holder = taken.get(vmid);
    const held = holder === undefined ? 'free' : await whoseIs(parts, holder, spec);
    if (held === 'others') continue;
    if (held !== 'free') return held;
    const made = await cloneAs(parts, { vmid, template, spec });
    if (made !== 'others') return made;
  }
  throw new Fault('needs_operator', 'The range of VM ids is full.', { hint: 'Widen LEBUREAU_PVE_VMID_RANGE.' });
}

async function cloneAs(
  parts: CloneParts,
  wanted: { vmid: number; template: PveTemplate; spec: VmSpec },
): Promise<VmRecord | 'others'> {
  const { site } = parts;
  const place = { vmid: wanted.vmid, node: site.settings.node };
  for (let tries = 1; ; tries++) {
    try {
      await runClone(parts, wanted);
      return await site.records.read(place);
    } catch (error) {
      if (!isTaken(error)) throw error;
      const listed: ListedVm = { ...place, status: 'unknown', isTemplate: false, tags: [] };
      const held = await whoseIs(parts, listed, wanted.spec);
      if (held !== 'free') return held;
      // It was there a moment ago, or was a leftover that is removed now.
      if (tries === clonesMax) throw error;
    }
  }
}

async function runClone(
  parts: CloneParts,
  { vmid, template, spec }: { vmid: number; template: PveTemplate; spec: VmSpec },
): Promise<void> {
  const { site } = parts;
  const { node, pool, storage } = site.settings;
  const marker: VmMarker = { owner: spec.owner, home: node, complete: false, boot: 0 };
  const ask = { newid: vmid, name: spec.vmRef, pool, description: writeVmMarker(marker) };
  const source = vmApi(site, { vmid: template.record.vmid, node });
  const full = () =>
    parts.fullClones.run(async () =>
      finishTask(site, await source.clone.$post({ ...ask, full: true, storage }), fullCloneMaxMs),
    );
  const isElsewhere = storage !== undefined && storage !== rootDisk(template.record.config)?.storage;
  if (isElsewhere) return full();
  try {
    await finishTask(site, await source.clone.$post({ ...ask, full: false }));
  } catch (error) {
    if (!says(error, /linked clone feature is not supported/i)) throw error;
    await full();
  }
}

/** Whether an id is free, another's, or already this very VM (a request of ours that had no answer). */
async function whoseIs(parts: CloneParts, vm: ListedVm, spec: VmSpec): Promise<VmRecord | 'free' | 'others'> {
  const isNamed = vm.name !== undefined && vm.name !== `VM ${vm.vmid}` && vm.name !== spec.vmRef;
  if (isNamed && vm.lock !== 'clone') return 'others';
  const seen = await readOrReveal(parts, vm);
  if (seen === 'free' || seen === 'others') return seen;
  if (seen.marker !== undefined && seen.marker.owner !== spec.owner) return 'others';
  const isHalf = isBeingCloned(seen) || isCloneDraft(seen);
  const record = isHalf ? await parts.halfClones.settle(parts.site, vm) : seen;
  if (record === undefined) return 'free';
  if (record.marker?.owner !== spec.owner) return 'others';
  return (await isWhole(parts.site, record)) ? record : 'free';
}

/** A clone that was cut off before its disk, and whose lock was taken off, is removed. */
async function isWhole(site: Site, record: VmRecord): Promise<boolean> {
  if (rootDisk(record.config) !== undefined || record.marker?.complete === true) return true;
  await removeUnstarted(site, record);
  return false;
}

/** Disk, firewall, and with the last request everything else and the word that it is whole. */
async function complete(parts: CloneParts, record: VmRecord, spec: VmSpec): Promise<void> {
  const { site } = parts;
  const disk = rootDisk(record.config);
  if (disk === undefined) throw new Fault('needs_operator', `The template of ${spec.vmRef} has no disk.`);
  if (disk.sizeMiB < spec.diskGiB * 1024) {
    const task = await vmApi(site, record).resize.$put({
      disk: disk.slot as 'virtio0',
      size: `${spec.diskGiB}G`,
    });
    if (task) await finishTask(site, task);
  }
  await closeIn(site, record, accessFor(site.settings, spec.network, await parts.blocked()));
  // Resizing has changed the configuration.
  const now = await site.records.read(record);
  const { owner, network } = spec;
  const marker: VmMarker = { owner, home: site.settings.node, network, complete: true, boot: 0 };
  await changeVm(site, now, { marker, config: configOf(site, record.vmid, spec) });
}

function configOf(site: Site, vmid: number, spec: VmSpec) {
  const { guestNetwork, vmids, node } = site.settings;
  const address = `${guestAddress(vmid, vmids, guestNetwork)}/${prefixOf(guestNetwork.cidr)}`;
  return {
    cores: spec.vcpus,
    sockets: 1,
    memory: spec.memoryMiB,
    balloon: 0,
    onboot: false,
    agent: '1',
    tags: `lebureau;${homeTag(node)}`,
    ciuser: 'agent',
    // Percent-encoded here and once more on the wire, as Proxmox VE wants it.
    sshkeys: encodeURIComponent(`${site.keysOf(spec.owner).clientKey.publicKey} hostd\n`),
    ipconfig0: `ip=${address},gw=${guestNetwork.gateway}`,
    nameserver: guestNetwork.resolver,
  };
}
