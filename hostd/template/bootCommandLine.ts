import { guestCommandLine, type Accelerator } from '../hypervisor/qemu/machine.ts';
import { withoutOwnNetwork } from '../hypervisor/withoutOwnNetwork.ts';

/**
 * The kernel's command line where the template starts from a boot disk: as on QEMU, but the root file system is found by
 * its label, and the network is not that of QEMU's own driver, whose guests leave network services and guest agent alone.
 */
export function bootCommandLine(kernelArgs: string, accelerator: Accelerator): string {
  const words = withoutOwnNetwork(kernelArgs)
    .split(' ')
    .map((word) => (word.startsWith('root=') ? 'root=LABEL=lebureau' : word));
  return guestCommandLine(words.join(' '), accelerator);
}
