import { writeVmMarker, type VmMarker } from './marker.ts';
import type { VmRecord } from './records.ts';
import { vmApi, type Site } from './site.ts';

/** Values of a VM's configuration; `delete` names those that go. */
export type ConfigChange = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Writes the marker, and what else changes with it, in one request: both are on the disk of the cluster, or neither is.
 * The digest has Proxmox VE refuse it when somebody else wrote meanwhile.
 */
export async function changeVm(
  site: Site,
  record: VmRecord,
  change: { marker: VmMarker; config?: ConfigChange },
): Promise<void> {
  site.records.forget(record.vmid);
  await vmApi(site, record).config.$put({
    ...change.config,
    description: writeVmMarker(change.marker),
    digest: record.digest,
  });
  site.records.forget(record.vmid);
}
