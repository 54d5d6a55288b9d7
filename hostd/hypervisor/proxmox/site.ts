import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { PveApi, PveClient } from './client.ts';
import type { ProxmoxSettings } from './settings.ts';
import type { VmLists } from './lists.ts';
import type { VmRecords } from './records.ts';
import type { PveToken } from './token.ts';

/** SSH keys of a guest, which follow from its owner. */
export interface GuestKeys {
  hostKey: { privateKey: string; publicKey: string };
  clientKey: { privateKey: string; publicKey: string };
}

/** What the parts of the driver share. */
export interface Site {
  client: PveClient;
  token: PveToken;
  settings: ProxmoxSettings;
  lists: VmLists;
  records: VmRecords;
  clock: Clock;
  log: Log;
  keysOf: (owner: string) => GuestKeys;
  /** Runs the command that frees a VM of a stale lock; undefined: an operator has to. */
  unlock?: (vmid: number) => Promise<void>;
}

/** One VM where it is now. */
export interface VmPlace {
  vmid: number;
  node: string;
}

export function vmApi(site: Site, place: VmPlace): ReturnType<ReturnType<PveApi['nodes']['$']>['qemu']['$']> {
  return site.client.api.nodes.$(place.node).qemu.$(place.vmid);
}

/** Marks a VM as looked after by this node's hostd; read from the list of the cluster without asking for each VM. */
export function homeTag(node: string): string {
  return `lb-home-${node.toLowerCase()}`;
}
