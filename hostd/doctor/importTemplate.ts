import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { lockFile, unlockFile } from '../fileLock.ts';
import { PveFacts } from '../hypervisor/proxmox/facts.ts';
import { accessFor, closeTemplate } from '../hypervisor/proxmox/firewall.ts';
import type { VmRecord } from '../hypervisor/proxmox/records.ts';
import { bootDiskSerial, rootDisk } from '../hypervisor/proxmox/rootDisk.ts';
import { vmApi, type Site } from '../hypervisor/proxmox/site.ts';
import { finishTask, fullCloneMaxMs } from '../hypervisor/proxmox/task.ts';
import { templatesOf } from '../hypervisor/proxmox/templates.ts';
import type { Accelerator } from '../hypervisor/qemu/machine.ts';
import { bootCommandLine } from '../template/bootCommandLine.ts';
import { makeBootDisk } from '../template/bootDisk.ts';
import { builtTemplates, type BuiltTemplate } from './builtTemplates.ts';
import { bad, good, note, type Finding } from './finding.ts';
import { finishTasksOf, halfTemplate, hasDisks, templateSlots, unconvertedDisks } from './halfTemplate.ts';
import { checkImportStorage } from './importStorage.ts';
import { removeUploads, uploadFile } from './uploads.ts';

export interface ImportAsk {
  site: Site;
  home: string;
  /** Told before each step that takes long. */
  print: (text: string) => void;
}

const defaultStorage = 'local-lvm';

/**
 * Makes a PVE template of what was built last, on the node of the site. Repeatable: what an import that was killed left
 * behind is found by the marker of its VM, and finished or begun anew.
 * @throws PveError, Fault
 */
export async function importTemplate(ask: ImportAsk): Promise<Finding[]> {
  const { site, home } = ask;
  const [newest] = builtTemplates(home);
  if (newest === undefined)
    return [bad(`no template was built below ${home}`, [`bun hostd/template/main.ts --home ${home}`])];
  const lock = await lockImports(home);
  try {
    const there = (await templatesOf(site)).find(({ marker }) => marker.templateId === newest.id);
    const storage = there === undefined ? await checkImportStorage(site, newest) : undefined;
    if (storage?.state === 'bad') return [storage];
    const vmid = await (there === undefined ? makeTemplate(ask, newest) : convert(site, there.record));
    return [good(`template ${newest.id} is there (VM ${vmid} on ${site.settings.node})`), ...(await offers(site))];
  } finally {
    await removeUploads(ask).catch(() => {});
    unlockFile(lock);
  }
}

/** One at a time in a home: they share the file of the boot disk. */
async function lockImports(home: string): Promise<number> {
  await mkdir(home, { recursive: true });
  const lock = lockFile(join(home, 'import.lock'));
  if (lock === undefined) throw new Fault('wrong_state', `Another process imports a template of ${home}.`);
  return lock;
}

async function makeTemplate(ask: ImportAsk, template: BuiltTemplate): Promise<number> {
  const { site, print } = ask;
  const facts = new PveFacts(site);
  const accelerator = (await facts.read()).accelerator === 'tcg' ? 'tcg' : 'kvm';
  let record = await halfTemplate(site, template, accelerator);
  if (!hasDisks(record)) record = await addDisks(ask, record, { template, accelerator });
  await setBootOrder(site, record);
  await closeTemplate(site, record, accessFor(site.settings, 'internet', await facts.blocked()));
  print(`making VM ${record.vmid} a template`);
  return convert(site, record);
}

async function addDisks(
  { site, home, print }: ImportAsk,
  record: VmRecord,
  { template, accelerator }: { template: BuiltTemplate; accelerator: Accelerator },
): Promise<VmRecord> {
  const { id, folder, kernelArgs } = template;
  const storage = await storageFor(site);
  const bootPath = join(home, 'import-boot.raw');
  print('making the boot disk');
  const commandLine = bootCommandLine(kernelArgs, accelerator);
  const signal = new AbortController().signal;
  try {
    await makeBootDisk({ folder, commandLine, target: bootPath, signal });
    const disks = [
      { slot: templateSlots.root, path: join(folder, 'disk.qcow2'), name: `${id}.qcow2`, options: 'discard=on' },
      { slot: templateSlots.boot, path: bootPath, name: `${id}-boot.raw`, options: `serial=${bootDiskSerial}` },
    ];
    for (const { slot, path, name, options } of disks) {
      print(`uploading ${name} to ${site.settings.importStorage}`);
      const volume = await uploadFile({ site, home }, { path, name });
      print(`importing ${name} to ${storage}`);
      const value = `${storage}:0,import-from=${volume},${options}`;
      const started = await vmApi(site, record).config.$post({ [slot]: value });
      if (started) await finishTask(site, started, fullCloneMaxMs);
    }
  } finally {
    await rm(bootPath, { force: true });
  }
  return site.records.read(record);
}

/** Where clones will lie: as it is set, or beside the template that is there already. */
async function storageFor(site: Site): Promise<string> {
  if (site.settings.storage !== undefined) return site.settings.storage;
  const [there] = await templatesOf(site);
  return (there && rootDisk(there.record.config)?.storage) ?? defaultStorage;
}

async function setBootOrder(site: Site, record: VmRecord): Promise<void> {
  const boot = `order=${templateSlots.boot}`;
  if (record.config.boot !== boot) await vmApi(site, record).config.$put({ boot });
}

/** A conversion that was cut off has made a template whose disks nothing can be linked to. */
async function convert(site: Site, record: VmRecord): Promise<number> {
  await finishTasksOf(site, record);
  const { template } = vmApi(site, record);
  let now = await site.records.read(record);
  if (!now.isTemplate) await finishTask(site, await template.$post(), fullCloneMaxMs);
  now = await site.records.read(record);
  for (const disk of unconvertedDisks(now.config)) await finishTask(site, await template.$post({ disk }));
  site.records.forget(record.vmid);
  site.lists.outdate();
  return record.vmid;
}

async function offers(site: Site): Promise<Finding[]> {
  const all = await templatesOf(site);
  if (all.length < 2) return [];
  return [
    note(`${all.length - 1} older templates are there`, [
      'bun hostd/main.ts doctor --collect-templates   # removes those that no desktop is linked to',
    ]),
  ];
}
