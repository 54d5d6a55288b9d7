import { says } from '../hypervisor/proxmox/faults.ts';
import { removal } from '../hypervisor/proxmox/halfClone.ts';
import type { Site } from '../hypervisor/proxmox/site.ts';
import { finishTask } from '../hypervisor/proxmox/task.ts';
import { templatesOf } from '../hypervisor/proxmox/templates.ts';
import { good, note, type Finding } from './finding.ts';

/**
 * Removes every template of ours but the newest. Proxmox VE knows which disks are linked to one, and refuses while there
 * is any.
 */
export async function collectTemplates(site: Site): Promise<Finding[]> {
  const all = (await templatesOf(site)).toSorted((a, b) => b.marker.builtAtMs - a.marker.builtAtMs);
  const findings: Finding[] = [];
  for (const { marker, record } of all.slice(1)) {
    try {
      await finishTask(site, await removal(site, record));
      findings.push(good(`template ${marker.templateId} (VM ${record.vmid}) was removed`));
    } catch (error) {
      if (!says(error, /still in use by linked clone/i)) throw error;
      findings.push(note(`template ${marker.templateId} (VM ${record.vmid}) stays: desktops are linked to it`));
    }
  }
  return findings;
}
