import { emptyFirewall, type FirewallState } from '../world/state.ts';
import type { Call } from '../world/world.ts';

/** A VM that does not exist has an empty firewall, and keeps what is written for it. */
export function wallOf(call: Call): FirewallState {
  const { firewalls } = call.world.state;
  const key = call.given.vmid === undefined ? '/' : `/vms/${String(call.given.vmid)}`;
  const wall = firewalls[key] ?? emptyFirewall();
  firewalls[key] = wall;
  return wall;
}

export function clusterWall(call: Call): FirewallState {
  return call.world.state.firewalls['/'] ?? emptyFirewall();
}

/** A comment of nothing is none. */
export function commentOf(call: Call): { comment?: string } {
  const { comment } = call.given;
  return comment === undefined || comment === '' ? {} : { comment: String(comment) };
}
