import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessFor, firewallOptions, rulesFor } from '../hypervisor/proxmox/firewall.ts';
import { writeTemplateMarker } from '../hypervisor/proxmox/marker.ts';
import type { ProxmoxSettings } from '../hypervisor/proxmox/settings.ts';

/** A template that hostd/template built, as its folder tells. */
export interface BuiltTemplate {
  folder: string;
  id: string;
  name: string;
  builtAtMs: number;
  kernelArgs: string;
  diskMiB: number;
}

/** Where every node keeps kernels: `args` name files of the node that runs the VM. */
const kernelFolder = '/var/lib/vz/template/lebureau';

/** Newest first. */
export function builtTemplates(home: string): BuiltTemplate[] {
  const root = join(home, 'templates');
  const found = namesIn(root).flatMap((name) => {
    const file = readTemplate(join(root, name, 'template.json'));
    return file === undefined || file.id !== name ? [] : [{ ...file, folder: join(root, name) }];
  });
  return found.toSorted((a, b) => b.builtAtMs - a.builtAtMs);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readTemplate(path: string): Omit<BuiltTemplate, 'folder'> | undefined {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<BuiltTemplate> & { diskVirtualGiB?: number };
    const { id, name = '', builtAtMs = 0, kernelArgs } = file;
    if (id === undefined || kernelArgs === undefined || !/^tpl_[0-9a-z]{26}$/.test(id)) return undefined;
    return { id, name, builtAtMs, kernelArgs, diskMiB: (file.diskVirtualGiB ?? 8) * 1024 };
  } catch {
    return undefined;
  }
}

/**
 * The lines that make a PVE template of what was built, for root on the node: a token may not set `args`, and the image
 * boots by its kernel without any loader. The address of the kernel's command line is that of QEMU's own network.
 */
export function importLines(template: BuiltTemplate, settings: ProxmoxSettings, blocked: readonly string[]): string[] {
  const { id, name, builtAtMs, diskMiB, folder } = template;
  const kernels = `${kernelFolder}/${id}`;
  const append = template.kernelArgs
    .split(' ')
    .filter((word) => !word.startsWith('ip='))
    .join(' ');
  const storage = settings.storage ?? 'local-lvm';
  const marker = writeTemplateMarker({ templateId: id, name: name || id, diskMiB, builtAtMs });
  return [
    `install -D -m 644 -t ${kernels} ${folder}/vmlinux ${folder}/initrd   # on every node that is to run it`,
    'vmid=$(pvesh get /cluster/nextid)',
    `qm create $vmid --name ${id.replace('_', '-')} --pool ${settings.pool} --ostype l26 --machine q35 --cpu host --cores 1 --memory 1024 --balloon 0 --agent 1 --vga std --scsihw virtio-scsi-single --net0 virtio,bridge=${settings.bridge},firewall=1 --tags lebureau`,
    `qm set $vmid --virtio0 ${storage}:0,import-from=${folder}/disk.qcow2,discard=on --ide2 ${storage}:cloudinit --boot order=virtio0`,
    `qm set $vmid --args '-kernel ${kernels}/vmlinux -initrd ${kernels}/initrd -append "${append}"'`,
    `qm set $vmid --description '${marker}'`,
    ...firewallLines(settings, blocked),
    'qm template $vmid',
  ];
}

/** A clone takes over the firewall of its template, so hostd finds nothing to write there but the clone's own address. */
function firewallLines(settings: ProxmoxSettings, blocked: readonly string[]): string[] {
  const path = `/nodes/${settings.node}/qemu/$vmid/firewall`;
  const flags = (values: object) =>
    Object.entries(values)
      .map(([name, value]) => `--${name} ${String(value)}`)
      .join(' ');
  // A new rule goes in front.
  const rules = rulesFor(accessFor(settings, 'internet', blocked)).toReversed();
  return [
    `pvesh set ${path}/options ${flags(firewallOptions)}`,
    ...rules.map((rule) => `pvesh create ${path}/rules ${flags({ ...rule, enable: 1 })}`),
  ];
}
