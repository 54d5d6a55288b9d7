/**
 * Which uid, interface, namespace and addresses a VM has. All of it follows from two small numbers: the block of this
 * home (several homes may share a machine) and the slot of the VM in it, which the VM's marker keeps.
 */
export interface Addressing {
  uid: number;
  namespace: string;
  /** The host's end of the pair of interfaces. */
  link: string;
  hostAddress: string;
  guestAddress: string;
}

export const blocksMax = 64;
export const slotsMax = 1024;

/** Set aside for benchmarks of network devices by RFC 2544, so it collides with no network in use: a pair for each slot. */
const firstAddress = (198 << 24) | (18 << 16);

export function addressing(block: number, slot: number, uidBase: number): Addressing {
  const index = block * slotsMax + slot;
  return {
    uid: uidBase + index,
    namespace: `lb${block}-${slot}`,
    link: `${linkPrefix(block)}${slot}`,
    hostAddress: dotted(firstAddress + 2 * index),
    guestAddress: dotted(firstAddress + 2 * index + 1),
  };
}

/** What the names of this block's interfaces on the host start with. */
export function linkPrefix(block: number): string {
  return `lb${block}v`;
}

/** All addresses of a block, as a CIDR. */
export function blockNetwork(block: number): string {
  return `${dotted(firstAddress + 2 * block * slotsMax)}/21`;
}

/** The slot of a namespace of this block, or undefined. */
export function slotOfNamespace(block: number, name: string): number | undefined {
  const match = /^lb(\d+)-(\d+)$/.exec(name);
  return match && Number(match[1]) === block ? Number(match[2]) : undefined;
}

/** Block and slot of an interface of ours, or undefined. */
export function slotOfLink(name: string): { block: number; slot: number } | undefined {
  const match = /^lb(\d+)v(\d+)$/.exec(name);
  return match ? { block: Number(match[1]), slot: Number(match[2]) } : undefined;
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
