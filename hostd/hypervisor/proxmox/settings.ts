import type { PveEndpoint } from './connect.ts';

/** How this node's hostd uses its Proxmox VE. */
export interface ProxmoxSettings {
  endpoint: PveEndpoint;
  /** `USER@REALM!NAME=UUID` */
  token: string;
  /** Where it was read, and is read again when it is refused. */
  tokenFile?: string;
  /** The cluster's name of the node that this hostd looks after. */
  node: string;
  /** Where disks of clones lie; left out: where the template's lies, by linked clones. */
  storage?: string;
  /** Where files wait until a template was made of them. */
  importStorage: string;
  bridge: string;
  pool: string;
  vmids: VmidRange;
  guestNetwork: GuestNetworkSettings;
  /** Port of a VNC server in each guest, whose picture takes the place of the hypervisor's. Without a password: only hostd reaches it. */
  guestVncPort?: number;
  /** Command that unlocks a VM whose clone was cut off; `{vmid}` is replaced. Left out: an operator has to. */
  unlockCommand?: readonly string[];
}

export interface VmidRange {
  first: number;
  last: number;
}

export interface GuestNetworkSettings {
  /** IPv4 network of the guests, the same on every node of the cluster, so that an address moves with its VM. */
  cidr: string;
  gateway: string;
  /** Resolver of the guests. */
  resolver: string;
  /** Address or network from which hostd reaches guests; default: the gateway, which is the node itself. */
  hostdSource?: string;
  /** Networks that guests may not reach, besides all private ones. */
  blocked: readonly string[];
}
