import { died } from '../api/refusal.ts';
import type { World } from '../world/world.ts';

/** Without quorum /etc/pve can only be read. @throws as Perl says it. */
export function assertWritable(world: World, vm: { vmid: number; node: string }): void {
  if (world.state.quorate) return;
  const file = `/etc/pve/nodes/${vm.node}/qemu-server/${vm.vmid}.conf.tmp.${world.state.nextPid}`;
  throw died(`unable to open file '${file}' - Permission denied`);
}

/** Calls that ask for quorum before anything else. */
export function assertQuorum(world: World): void {
  if (!world.state.quorate) throw died('cluster not ready - no quorum?');
}
