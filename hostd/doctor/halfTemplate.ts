import { Fault } from '@lebureau/kit/fault';
import { vmidsToTry } from '../hypervisor/proxmox/addressing.ts';
import { isForbidden, isMissing, isTaken } from '../hypervisor/proxmox/faults.ts';
import { removeUnstarted } from '../hypervisor/proxmox/halfClone.ts';
import { readTemplateMarker, writeTemplateMarker } from '../hypervisor/proxmox/marker.ts';
import type { VmRecord } from '../hypervisor/proxmox/records.ts';
import type { Site, VmPlace } from '../hypervisor/proxmox/site.ts';
import { finishTask } from '../hypervisor/proxmox/task.ts';
import type { Accelerator } from '../hypervisor/qemu/machine.ts';
import type { BuiltTemplate } from './builtTemplates.ts';

/** Its disks, as the template's VM has them. */
export const templateSlots = { root: 'virtio0', boot: 'virtio1' } as const;

/**
 * The VM of this node that a template is being made of. It is made without disks, in one short task: only at the end of
 * that it is in our pool and carries its marker, and whatever takes long must find it there again. Its id follows from the
 * template and the node, so that a request whose answer was lost collides instead of making a second one.
 */
export async function halfTemplate(site: Site, template: BuiltTemplate, accelerator: Accelerator): Promise<VmRecord> {
  const { node, vmids } = site.settings;
  for (const vmid of vmidsToTry(`${template.id} ${node}`, vmids)) {
    const place = { vmid, node };
    await finishTasksOf(site, place);
    const seen = await readVm(site, place);
    if (seen !== undefined && !isOf(seen, template)) continue;
    if (seen !== undefined) {
      if (hasDisks(seen)) return seen;
      // Cut off while a disk was made: what there is of that belongs to no configuration.
      await removeUnstarted(site, seen);
    }
    const made = await makeVm(site, place, firstConfig(site, template, accelerator));
    if (made !== undefined) return made;
  }
  throw new Fault('needs_operator', 'The range of VM ids is full.', { hint: 'Widen LEBUREAU_PVE_VMID_RANGE.' });
}

export function hasDisks({ config }: VmRecord): boolean {
  return config[templateSlots.root] !== undefined && config[templateSlots.boot] !== undefined;
}

/** Of a template: disks that are no base of linked clones. They were cut off, or their storage has none. */
export function unconvertedDisks(config: VmRecord['config']): ('virtio0' | 'virtio1')[] {
  return Object.values(templateSlots).filter((slot) => {
    const volume = config[slot] === undefined ? undefined : String(config[slot]).split(',')[0]!;
    return volume !== undefined && !/[:/]base-/.test(volume);
  });
}

/** Waits for what runs on a VM: an import that was killed may have left a task behind. How it ends shows in the VM. */
export async function finishTasksOf(site: Site, { node, vmid }: VmPlace): Promise<void> {
  const tasks = (await site.client.api.nodes.$(node).tasks.$get({ source: 'active', vmid })) as unknown as {
    upid: string;
    endtime?: number;
  }[];
  for (const { upid, endtime } of tasks) if (endtime === undefined) await finishTask(site, upid).catch(() => {});
  site.records.forget(vmid);
}

/** Undefined when there is none that we may see: the id is free, or another's, which shows when it is asked for. */
async function readVm(site: Site, place: VmPlace): Promise<VmRecord | undefined> {
  try {
    return await site.records.read(place);
  } catch (error) {
    if (isMissing(error) || isForbidden(error)) return undefined;
    throw error;
  }
}

function isOf({ config, isTemplate }: VmRecord, template: BuiltTemplate): boolean {
  const description = config.description === undefined ? undefined : String(config.description);
  return !isTemplate && readTemplateMarker(description)?.templateId === template.id;
}

/** Undefined when somebody else has the id. */
async function makeVm(site: Site, place: VmPlace, config: FirstConfig): Promise<VmRecord | undefined> {
  try {
    const started = await site.client.api.nodes.$(place.node).qemu.$post({ vmid: place.vmid, ...config });
    await finishTask(site, started);
  } catch (error) {
    if (isTaken(error)) return undefined;
    throw error;
  }
  return site.records.read(place);
}

type FirstConfig = ReturnType<typeof firstConfig>;

function firstConfig(site: Site, template: BuiltTemplate, accelerator: Accelerator) {
  const { id, name, diskMiB, builtAtMs } = template;
  const { pool, bridge } = site.settings;
  return {
    name: id.replace('_', '-'),
    pool,
    description: writeTemplateMarker({ templateId: id, name: name || id, diskMiB, builtAtMs }),
    tags: 'lebureau',
    ostype: 'l26',
    machine: 'q35',
    cores: 1,
    memory: '1024',
    balloon: 0,
    agent: '1',
    vga: 'std',
    net0: `virtio,bridge=${bridge},firewall=1`,
    ...(accelerator === 'kvm' ? { cpu: 'host' } : { kvm: false }),
  } as const;
}
