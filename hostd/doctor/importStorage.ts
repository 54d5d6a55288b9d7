import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isForbidden, says } from '../hypervisor/proxmox/faults.ts';
import type { Site } from '../hypervisor/proxmox/site.ts';
import type { BuiltTemplate } from './builtTemplates.ts';
import { bad, good, type Finding } from './finding.ts';

/** The line that makes a storage for uploads and nothing else: whoever may delete there can delete nothing of others. */
export function importStorageLine(storage: string): string {
  return `pvesm add dir ${storage} --path /var/lib/${storage}-import --content import`;
}

/** Whether templates can be uploaded. @param template what has to find room there, if anything. */
export async function checkImportStorage(site: Site, template?: BuiltTemplate): Promise<Finding> {
  const { node, importStorage: name } = site.settings;
  const status = await statusOf(site);
  if (status === undefined)
    return bad(`node ${node} has no storage ${name} to upload templates to, or hostd may not use it`, [
      importStorageLine(name),
      'bun hostd/main.ts doctor --print-setup   # gives hostd the rights on it; for root on the node',
    ]);
  if (Number(status.active) !== 1) return bad(`storage ${name} is not active`, [`pvesm set ${name} --disable 0`]);
  if (!status.content?.split(',').includes('import'))
    return bad(`storage ${name} takes no uploads of disks`, [`pvesm set ${name} --content ${status.content},import`]);
  const needed =
    template === undefined ? 0 : (statSync(join(template.folder, 'disk.qcow2'), { throwIfNoEntry: false })?.size ?? 0);
  const mib = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  if ((status.avail ?? 0) < needed)
    return bad(`storage ${name} has ${mib(status.avail ?? 0)} MiB free, and the template takes ${mib(needed)} MiB`);
  return good(`storage ${name} takes uploads of templates`);
}

async function statusOf({ client, settings: { node, importStorage } }: Site) {
  try {
    return (await client.api.nodes.$(node).storage.$(importStorage).status.$get()) as {
      active?: number;
      avail?: number;
      content?: string;
    };
  } catch (error) {
    if (isForbidden(error) || says(error, /no such storage|does not exist|not available on node/i)) return undefined;
    throw error;
  }
}
