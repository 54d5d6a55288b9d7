import { copyFile, mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { runCommand } from './command.ts';

export interface BootDiskOptions {
  /** A template's folder: its kernel and initrd go onto the disk. */
  folder: string;
  /** Of the kernel. */
  commandLine: string;
  /** The raw image to make; a folder beside it holds parts for a moment. */
  target: string;
  signal: AbortSignal;
}

const MiB = 2 ** 20;
/** File system, boot loader and what clusters waste. */
const slackMiB = 4;
const stepMaxMs = 60_000;
const sectorBytes = 512;

/**
 * A disk from which a PC BIOS starts a template: no partition, one FAT file system, SYSLINUX. The root file system stays as
 * it is. Nothing is mounted, so no rights are needed.
 * @throws Fault `needs_operator` when a file or a program (of the packages mtools and syslinux) is missing.
 */
export async function makeBootDisk({ folder, commandLine, target, signal }: BootDiskOptions): Promise<void> {
  const sizeMiB = Math.ceil(((await sizeOf(folder, 'vmlinuz')) + (await sizeOf(folder, 'initrd'))) / MiB) + slackMiB;
  const parts = `${target}.parts`;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rm(parts, { recursive: true, force: true });
  await mkdir(parts);
  const run = (argv: [string, ...string[]]) => runCommand(argv, { signal, timeoutMs: stepMaxMs });
  try {
    const names = ['vmlinuz', 'initrd', 'syslinux.cfg'].map((name) => join(parts, name));
    for (const name of ['vmlinuz', 'initrd']) await copyFile(join(folder, name), join(parts, name));
    await writeFile(join(parts, 'syslinux.cfg'), loaderConfig(commandLine));
    await writeFile(target, '');
    await truncate(target, sizeMiB * MiB);
    const sectors = String((sizeMiB * MiB) / sectorBytes);
    await run(['mformat', '-i', target, '-T', sectors, '-h', '64', '-s', '32', '-v', 'LB-BOOT', '::']);
    await run(['mcopy', '-i', target, ...names, '::']);
    await run(['syslinux', '--install', target]);
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
}

/** Starts at once, whatever keys are pressed. */
function loaderConfig(commandLine: string): string {
  return [
    'DEFAULT linux',
    'PROMPT 0',
    'TIMEOUT 0',
    'NOESCAPE 1',
    'LABEL linux',
    '  LINUX vmlinuz',
    '  INITRD initrd',
    `  APPEND ${commandLine}`,
    '',
  ].join('\n');
}

async function sizeOf(folder: string, name: string): Promise<number> {
  const file = await stat(join(folder, name)).catch(() => undefined);
  if (file !== undefined && file.size > 0) return file.size;
  throw new Fault('needs_operator', `${folder} has no ${name}: remove the folder and build the template again`);
}
