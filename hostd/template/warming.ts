import type { Clock } from '@lebureau/kit/clock';
import type { HypervisorHost } from '../hypervisor/qemu/host.ts';
import type { MachineSize } from '../hypervisor/qemu/machine.ts';
import type { TemplateFile, TemplatePaths } from './files.ts';
import type { ProgressMeter } from './progress.ts';

/** A warm state in the making. */
export interface Warming {
  template: TemplateFile;
  paths: TemplatePaths;
  /** Holds the four files of the warm state while it is made. */
  folder: string;
  commandLine: string;
  size: MachineSize;
  host: HypervisorHost;
  clock: Clock;
  meter: ProgressMeter;
  signal: AbortSignal;
}
