import type { VmSeen } from '../driver.ts';
import { isMissing } from './faults.ts';
import { asItIs, requireQuorum } from './find.ts';
import type { ListedVm } from './lists.ts';
import { isArrival, readTemplateMarker } from './marker.ts';
import { seeVm } from './observe.ts';
import type { VmRecord } from './records.ts';
import { homeTag, type Site } from './site.ts';

/**
 * Every VM that this node's hostd looks after, wherever it is now, what was sent to it, and what in our range on this node
 * carries no marker.
 * One call tells where VMs are, one what those of this node do; a configuration is read only when it is not known.
 */
export async function listVms(site: Site): Promise<VmSeen[]> {
  const { node } = site.settings;
  const live = new Map((await site.lists.ofNode()).map((vm) => [vm.vmid, vm]));
  const cluster = await site.lists.ofCluster();
  await requireQuorum(site);
  const moved: ListedVm[] = [];
  for (const vm of cluster) {
    if (vm.node === node || !vm.tags.includes(homeTag(node)) || live.has(vm.vmid)) continue;
    const now = await asItIs(site, vm);
    if (now !== undefined) moved.push(now);
  }
  const seen: VmSeen[] = [];
  for (const vm of [...live.values(), ...moved]) {
    if (vm.isTemplate) continue;
    const record = await recordOf(site, vm);
    if (record === undefined || isHalfTemplate(record)) continue;
    const { marker } = record;
    const isOurs = marker === undefined || marker.home === node || isArrival(marker, { ...vm, own: node });
    if (isOurs) seen.push(await seeVm(site, vm, record));
  }
  return seen;
}

/** What the import of a template has not finished yet is no stranger. */
function isHalfTemplate({ config }: VmRecord): boolean {
  return readTemplateMarker(config.description === undefined ? undefined : String(config.description)) !== undefined;
}

/**
 * Undefined when it is gone. One of another node's may have become ours, or the reverse, since it was read. A configuration
 * that was read while the VM was being made says too little.
 */
export async function recordOf(site: Site, vm: ListedVm): Promise<VmRecord | undefined> {
  try {
    const record = await site.records.recent(vm);
    const isAnothers = record.marker?.home !== site.settings.node;
    const isOld = record.marker?.complete !== true || isAnothers || (vm.name !== undefined && record.name !== vm.name);
    return isOld ? await site.records.read(vm) : record;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
