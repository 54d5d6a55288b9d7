import type { GuestDoor } from '../act.ts';
import { FakeHypervisor, type FakeOptions, type FakePoint } from '../hypervisor/fake.ts';
import type { Driver } from '../hypervisor/driver.ts';
import type { VirtualClock } from '../virtualclock.ts';

/** A hypervisor that the crash matrix is played on, with the truth about it. It outlives the processes that use it. */
export interface Ground {
  /** The driver of one process; `at` is called at every point at which that process can end. */
  driver(at: FakePoint, member?: string): Driver;
  guests(at: FakePoint, member?: string): GuestDoor;
  /** Every VM that is not one of the planted ones, as it is now. */
  vms(): GroundVm[];
  losePower(): void;
  /** The VM vanishes with its disk. */
  loseDisk(vmRef: string): void;
  /** From now on its guest answers nothing and ignores requests to power off. */
  wedge(vmRef: string): void;
  /** Whether a disk is made for a VM here. */
  makesDisk(point: string): boolean;
  /** Whether a VM was moved while it was being moved; where there is a cluster. */
  movedTwice?(): boolean;
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
  /** Where it is, whose hostd looks after it, and who told its guest who it is; where there is a cluster. */
  node?: string;
  home?: string;
  metBy?: string;
}

export interface GroundOptions {
  clock: VirtualClock;
  /** How long after a start the guest answers. */
  bootMs: number;
  /** Its cluster, where it has one, and how long a move takes. */
  cluster?: string;
  moveMs?: number;
  flaw?: string;
}

/** Who else is there: one of another owner, one without a marker, one whose name is not ours. */
export const planted: readonly { vmRef: string; owner?: string }[] = [
  { vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y5', owner: 'asg_somebody_else' },
  { vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y6' },
  { vmRef: 'customer-database', owner: 'asg_01k9x3v6m8e9t2q4r6s8v0w2y7' },
];

/** The hypervisor in memory. */
export function fakeGround({ flaw, ...options }: GroundOptions): Ground {
  const hypervisor = new FakeHypervisor({ ...options, flaw: flaw as FakeOptions['flaw'] });
  for (const vm of planted) hypervisor.plant(vm);
  const isPlanted = (vmRef: string) => planted.some((vm) => vm.vmRef === vmRef);
  return {
    driver: (at, member) => hypervisor.driver(at, member),
    guests: (at, member) => hypervisor.guests(at, member),
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
    movedTwice: () => hypervisor.movedTwice,
    makesDisk: (point) => point === 'clone:disk',
    touched: (powerLost) =>
      planted.flatMap(({ vmRef }) => {
        const now = hypervisor.vms.get(vmRef);
        const isTouched = now?.disk !== -1 || now.boot !== 1 || (now.power !== 'running' && !powerLost);
        return isTouched ? [vmRef] : [];
      }),
  };
}
