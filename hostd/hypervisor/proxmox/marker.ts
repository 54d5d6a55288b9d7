import type { KeptIdentity } from '../driver.ts';

/**
 * What hostd knows of a VM stands in the VM's own description, so it needs no database: whose it is, and what it was last
 * told to do. Proxmox VE writes the description with the first whole configuration of a clone.
 */
export interface VmMarker {
  /** The assignment's id. */
  owner: string;
  /** The node whose hostd looks after it, wherever it runs. */
  home: string;
  /** What it may reach. */
  network?: 'internet' | 'none';
  /** False while disks, firewall or configuration are not all in place. */
  complete: boolean;
  /** The `boot` of the last start, 0 before the first. */
  boot: number;
  /** The last start task of this VM id before that start, so that a later one proves that it ran. */
  startBefore?: string;
  /** Where it was started: start tasks are listed there. */
  startNode?: string;
  /** The `boot` that hostd was told to end. */
  stopAsked?: number;
  /** The move that was ordered last, written before it begins; none after it was settled. */
  moving?: { from: string; to: string };
  /** What it keeps from the node that made it; written with its first move, because no other node can derive it. */
  identity?: KeptIdentity;
}

/** What a PVE template says of itself. */
export interface TemplateMarker {
  templateId: string;
  name: string;
  diskMiB: number;
  builtAtMs: number;
}

const vmHead = 'A desktop of Le Bureau. hostd keeps the line below: leave it as it is.';
const templateHead = 'A template of Le Bureau. hostd reads the line below: leave it as it is.';

/** It came to this node, whole, and the hostd that sent it has not marked it as this one's: it may be off. */
export function isArrival(marker: VmMarker, at: { node: string; lock?: string; own: string }): boolean {
  const { home, moving, identity } = marker;
  const isHere = at.node === at.own && home !== at.own && moving?.to === at.own;
  return isHere && at.lock !== 'migrate' && marker.complete && identity !== undefined;
}

export function writeVmMarker(marker: VmMarker): string {
  return `${vmHead}\n\nlebureau-vm: ${JSON.stringify(marker)}`;
}

export function writeTemplateMarker(marker: TemplateMarker): string {
  return `${templateHead}\n\nlebureau-template: ${JSON.stringify(marker)}`;
}

export function readVmMarker(description: string | undefined): VmMarker | undefined {
  const found = readLine(description, 'lebureau-vm') as Partial<VmMarker> | undefined;
  if (typeof found?.owner !== 'string' || typeof found.home !== 'string') return undefined;
  return { ...found, owner: found.owner, home: found.home, complete: found.complete === true, boot: found.boot ?? 0 };
}

export function readTemplateMarker(description: string | undefined): TemplateMarker | undefined {
  const found = readLine(description, 'lebureau-template') as Partial<TemplateMarker> | undefined;
  if (typeof found?.templateId !== 'string' || !/^tpl_[0-9a-z]{26}$/.test(found.templateId)) return undefined;
  const { templateId, name = templateId, diskMiB = 1, builtAtMs = 0 } = found;
  return { templateId, name, diskMiB, builtAtMs };
}

function readLine(description: string | undefined, word: string): unknown {
  const line = description?.split('\n').find((each) => each.startsWith(`${word}: `));
  try {
    return line === undefined ? undefined : (JSON.parse(line.slice(word.length + 2)) as unknown);
  } catch {
    return undefined;
  }
}
