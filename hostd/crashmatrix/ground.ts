import type { GuestDoor } from '../act.ts';
import { FakeHypervisor, type FakeOptions, type FakePoint } from '../hypervisor/fake.ts';
import type { Driver } from '../hypervisor/driver.ts';
import type { VirtualClock } from '../virtualclock.ts';

/** A hypervisor that the crash matrix is played on, with the truth about it. It outlives the processes that use it. */
export interface Ground {
  /** The driver of one process; `at` is called at every point at which that process can end. */
  driver(at: FakePoint): Driver;
  guests(at: FakePoint): GuestDoor;
  /** Every VM that is not one of the planted ones, as it is now. */
  vms(): GroundVm[];
  losePower(): void;
  /** The VM vanishes with its disk. */
  loseDisk(vmRef: string): void;
  /** From now on its guest answers nothing and ignores requests to power off. */
  wedge(vmRef: string): void;
  /** Whether a disk is made for a VM here. */
  makesDisk(point: string): boolean;
  /** Planted VMs that are not as they were. */
  touched(powerLost: boolean): string[];
}

export interface GroundVm {
  vmRef: string;
  owner?: string;
  power: 'off' | 'running' | 'paused' | 'broken';
  boot: number;
  /** Who its guest takes itself for: `identityMark`. */
  identity?: string;
}

export interface GroundOptions {
  clock: VirtualClock;
  /** How long after a start the guest answers. */
  bootMs: number;
  flaw?: string;
}

/** Who else is there: one of another owner, one without a marker, one whose name is not ours. */
export const planted: readonly { vmRef: string; owner?: string }[] = [
  { vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y5', owner: 'asg_somebody_else' },
  { vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y6' },
  { vmRef: 'customer-database', owner: 'asg_01k9x3v6m8e9t2q4r6s8v0w2y7' },
];

/** The hypervisor in memory. */
export function fakeGround({ clock, bootMs, flaw }: GroundOptions): Ground {
  const hypervisor = new FakeHypervisor({ clock, bootMs, flaw: flaw as FakeOptions['flaw'] });
  for (const vm of planted) hypervisor.plant(vm);
  const isPlanted = (vmRef: string) => planted.some((vm) => vm.vmRef === vmRef);
  return {
    driver: (at) => hypervisor.driver(at),
    guests: (at) => hypervisor.guests(at),
    vms: () => [...hypervisor.vms.values()].filter((vm) => !isPlanted(vm.vmRef)),
    losePower: () => hypervisor.losePower(),
    loseDisk: (vmRef) => {
      hypervisor.vms.delete(vmRef);
      hypervisor.sync(vmRef);
    },
    wedge: (vmRef) => {
      const vm = hypervisor.vms.get(vmRef);
      if (vm !== undefined) vm.wedged = true;
    },
    makesDisk: (point) => point === 'clone:disk',
    touched: (powerLost) =>
      planted.flatMap(({ vmRef }) => {
        const now = hypervisor.vms.get(vmRef);
        const isTouched = now?.disk !== -1 || now.boot !== 1 || (now.power !== 'running' && !powerLost);
        return isTouched ? [vmRef] : [];
      }),
  };
}
