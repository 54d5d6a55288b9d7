import { describe } from 'vitest';
import { type Hypervisor, hypervisors } from './hypervisors.ts';
import { vmSkipReason } from './product.ts';

/** The same tests on each hypervisor. */
export function describeOnEach(what: string, tests: (hypervisor: Hypervisor) => void): void {
  for (const hypervisor of hypervisors) {
    const skip = vmSkipReason(hypervisor);
    describe.skipIf(skip !== undefined)(`${what}, on ${hypervisor.name} ${skip ?? ''}`, () => {
      tests(hypervisor);
    });
  }
}
