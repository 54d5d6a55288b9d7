import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import type { TemplateSeen } from '../driver.ts';
import { readVirtualBytes } from './disk.ts';
import { readJson } from './files.ts';
import type { HypervisorHost } from './host.ts';
import { guestCommandLine, warmKey, type MachineSize } from './machine.ts';
import { sealedCopy } from './memory.ts';

/** What the driver needs of a template's folder; hostd/template writes it and documents the rest. */
export interface Template {
  id: string;
  name: string;
  builtAtMs: number;
  folder: string;
  disk: string;
  virtualBytes: number;
  kernel: { vmlinux: string; initrd: string; commandLine: string };
}

export interface WarmState {
  key: string;
  /** Below the overlay of a warm clone: the template's disk as it was when memory was saved. */
  disk: string;
  ram: string;
  deviceState: string;
}

interface TemplateFile {
  id: string;
  name: string;
  builtAtMs: number;
  kernelArgs: string;
}

const templateIdPattern = /^tpl_[0-9a-z]{26}$/;
const warmNamePattern = /^[0-9a-f]{32}$/;

/** The templates of a home, read anew each time: a build or a warm-up may finish at any moment. */
export class TemplateShelf {
  readonly #folder: string;
  readonly #host: HypervisorHost;
  readonly #log: Log;
  /** By warm key. One copy in memory is shared by all clones and kept as long as hostd lives. */
  readonly #memories = new Map<string, Promise<number>>();

  constructor(home: string, host: HypervisorHost, log: Log) {
    this.#folder = join(home, 'templates');
    this.#host = host;
    this.#log = log;
  }

  /** @throws Fault `template_missing`. */
  async template(id: string): Promise<Template> {
    if (!templateIdPattern.test(id)) throw new Fault('template_missing', 'no template can have this id');
    const folder = join(this.#folder, id);
    const file = (await readJson(join(folder, 'template.json'))) as Partial<TemplateFile> | 'damaged' | undefined;
    if (file === undefined || file === 'damaged' || typeof file.kernelArgs !== 'string' || file.id !== id) {
      throw new Fault('template_missing', `template ${id} is not on this node`);
    }
    const disk = join(folder, 'disk.qcow2');
    return {
      id,
      name: String(file.name ?? id),
      builtAtMs: Number(file.builtAtMs ?? 0),
      folder,
      disk,
      virtualBytes: readVirtualBytes(disk),
      kernel: {
        vmlinux: join(folder, 'vmlinux'),
        initrd: join(folder, 'initrd'),
        commandLine: guestCommandLine(file.kernelArgs, this.#host.accelerator),
      },
    };
  }

  /** The warm state that fits this size on this host, if there is one. */
  async warmState(template: Template, size: MachineSize): Promise<WarmState | undefined> {
    return this.warmStateByKey(template, this.#keyOf(template, size));
  }

  async warmStateByKey(template: Template, key: string): Promise<WarmState | undefined> {
    const folder = join(template.folder, 'warm', key);
    if ((await statOrUndefined(join(folder, 'warm.json'))) === undefined) return undefined;
    return {
      key,
      disk: join(folder, 'disk.qcow2'),
      ram: join(folder, 'ram'),
      deviceState: join(folder, 'device-state'),
    };
  }

  /** True when what was warmed for `key` is what this size would be on this host now. */
  fits(template: Template, size: MachineSize, key: string): boolean {
    return this.#keyOf(template, size) === key;
  }

  /** A descriptor of the sealed copy of this warm state's RAM; the first call makes it. */
  memory(warm: WarmState): Promise<number> {
    const known = this.#memories.get(warm.key);
    if (known) return known;
    const made = sealedCopy(warm.ram);
    this.#memories.set(warm.key, made);
    made.catch(() => this.#memories.delete(warm.key));
    return made;
  }

  async list(): Promise<TemplateSeen[]> {
    const seen: TemplateSeen[] = [];
    for (const id of await namesIn(this.#folder)) {
      if (!templateIdPattern.test(id)) continue;
      try {
        const template = await this.template(id);
        const disk = await stat(template.disk);
        const warmSizes = (await this.#warmSizes(template)).map((size) => `${size.vcpus}x${size.memoryMiB}`);
        const { name, builtAtMs } = template;
        seen.push({ id, name, warmSizes, diskMiB: Math.ceil((disk.blocks * 512) / 2 ** 20), builtAtMs });
      } catch (error) {
        this.#log.warn('template was not readable', { templateId: id, error: describeError(error) });
      }
    }
    return seen;
  }

  /** Loads the memory of every warm state that fits, as far as `roomBytes` reach, so that no clone waits for it. */
  async preload(roomBytes: number): Promise<void> {
    let room = roomBytes;
    for (const { id } of await this.list()) {
      const template = await this.template(id);
      for (const size of await this.#warmSizes(template)) {
        const warm = await this.warmState(template, size);
        if (!warm || this.#memories.has(warm.key)) continue;
        room -= (await stat(warm.ram)).blocks * 512;
        if (room < 0) return;
        await this.memory(warm);
      }
    }
  }

  async #warmSizes(template: Template): Promise<MachineSize[]> {
    const sizes: MachineSize[] = [];
    for (const key of await namesIn(join(template.folder, 'warm'))) {
      if (!warmNamePattern.test(key)) continue;
      const file = (await readJson(join(template.folder, 'warm', key, 'warm.json'))) as
        | { size?: MachineSize }
        | undefined;
      const size = file?.size;
      if (size && this.fits(template, size, key)) sizes.push({ vcpus: size.vcpus, memoryMiB: size.memoryMiB });
    }
    return sizes;
  }

  #keyOf(template: Template, size: MachineSize): string {
    return warmKey({
      templateId: template.id,
      size: { vcpus: size.vcpus, memoryMiB: size.memoryMiB },
      accelerator: this.#host.accelerator,
      qemuVersion: this.#host.qemuVersion,
      hostCpu: this.#host.hostCpu,
      commandLine: template.kernel.commandLine,
    });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function statOrUndefined(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
