import { join } from 'node:path';
import type { SuiteName } from './suites.ts';

/**
 * Every file of a template, below `<home>/templates/<templateId>/`. All are read-only and belong to whoever built them;
 * folders may be entered by the uids that QEMU runs as.
 *
 *     template.json               `TemplateFile`
 *     disk.qcow2                  the root file system; never booted itself
 *     vmlinux initrd              direct boot (PVH)
 *     vmlinuz                     the same kernel, packed, for boot loaders (Proxmox VE)
 *     warm/<warmKey>/
 *       warm.json                 `WarmFile`
 *       disk.qcow2                overlay on ../../disk.qcow2 as it was when memory was saved; below every warm clone
 *       ram                       guest memory, sparse
 *       device-state              QEMU's migration stream without the memory
 *
 * What is being made lies beside under a name that starts with `.making-` and gets its name when it is whole and verified.
 */
export interface TemplatePaths {
  templates: string;
  folder: string;
  making: string;
  file: string;
  disk: string;
  vmlinux: string;
  vmlinuz: string;
  initrd: string;
  warm: string;
}

export interface TemplateFile {
  version: 1;
  id: string;
  name: string;
  suite: SuiteName;
  untested: boolean;
  recipeHash: string;
  builtAtMs: number;
  diskVirtualGiB: number;
  kernelArgs: string;
  kernelRelease: string;
  guestUser: 'agent';
}

export interface WarmFile {
  version: 1;
  size: { vcpus: number; memoryMiB: number };
  accelerator: string;
  qemuVersion: string;
  commandLine: string;
  warmedAtMs: number;
  /** What the verifying clone took from the start of its QEMU, milliseconds. */
  verified: { runningMs: number; healthyMs: number; identifiedMs: number; firstCommandMs: number };
}

export function templatePaths(home: string, templateId: string): TemplatePaths {
  const templates = join(home, 'templates');
  const folder = join(templates, templateId);
  return {
    templates,
    folder,
    making: join(templates, `.making-${templateId}`),
    file: join(folder, 'template.json'),
    disk: join(folder, 'disk.qcow2'),
    vmlinux: join(folder, 'vmlinux'),
    vmlinuz: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd'),
    warm: join(folder, 'warm'),
  };
}
