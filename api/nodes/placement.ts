/** Where a desktop goes. Pure: what is known of the nodes comes in, the order in which to try them comes out. */

export interface PlacementWish {
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  /** Id or name; undefined: the newest there is. */
  template: string | undefined;
  /** Undefined: internet where the node has it. */
  network: 'internet' | 'none' | undefined;
  /** Labels that the node must have. */
  nodeSelector: Readonly<Record<string, string>>;
}

export interface PlacementNode {
  id: string;
  heard: boolean;
  cordoned: boolean;
  vcpus: number;
  memoryMiB: number;
  /** What it has for desktops in all. */
  diskMiB: number;
  diskFreeMiB: number;
  reservedVcpus: number;
  reservedMemoryMiB: number;
  reservedDiskGiB: number;
  network: 'isolated' | 'none';
  labels: Readonly<Record<string, string>>;
  /** Desktops there that this one wants to keep away from. */
  alike: number;
  /** Where its desktops can be moved within. */
  cluster?: { id: string; member: string };
  templates: readonly { id: string; name: string; warmSizes: readonly string[]; builtAtMs: number }[];
}

/** How much more than it has may be promised of a node: 1.5 is half as much again. */
export interface Overcommit {
  vcpus: number;
  memory: number;
  disk: number;
}

export interface PlacementPolicy {
  overcommit: Overcommit;
  /** `spread`: the emptiest node first; `pack`: the fullest that has room. */
  strategy: 'spread' | 'pack';
  /** Which of equals comes first: any whole number from 0, another one for each desktop. */
  turn: number;
}

export interface Limits {
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
}

export interface Placement {
  nodeId: string;
  template: { id: string; name: string };
  network: 'internet' | 'none';
  /** What the node may hold reserved in all, this desktop included. */
  limits: Limits;
}

/** A node with less free disk than this gets no new desktop. */
export const diskFloorMiB = 2048;
/** Nodes whose share of free memory differs by less than one part of this many are equals. */
const parts = 20;

export interface Suitable {
  nodes: PlacementNode[];
  template: { id: string; name: string };
  /** What the desktop gets on most of them. */
  network: 'internet' | 'none';
}

/** The nodes that could hold it if they had room, and the template it would be made from. Or why there is none. */
export function suitableNodes(wish: PlacementWish, nodes: readonly PlacementNode[]): Suitable | { none: string } {
  const up = nodes.filter((node) => node.heard && !node.cordoned);
  if (up.length === 0) return { none: 'No node is up.' };
  const selected = up.filter((node) => hasLabels(node, wish.nodeSelector));
  if (selected.length === 0) return { none: 'No node that is up has the labels of `nodeSelector`.' };
  const suitable = selected.filter((node) => wish.network !== 'internet' || node.network === 'isolated');
  if (suitable.length === 0) return { none: 'No node can give a desktop a network; ask for `network: "none"`.' };
  const template = newestTemplate(wish.template, suitable);
  if (template === undefined) return { none: 'No node that is up has the template yet.' };
  const having = suitable.filter((node) => node.templates.some((each) => each.id === template.id));
  return {
    nodes: having,
    template: { id: template.id, name: template.name },
    network: wish.network ?? (having.some((node) => node.network === 'isolated') ? 'internet' : 'none'),
  };
}

/**
 * @returns the possible places, best first: few that are alike before many, warm before cold, then by the strategy. Or
 * why there is none.
 */
export function placeDesktop(
  wish: PlacementWish,
  nodes: readonly PlacementNode[],
  policy: PlacementPolicy,
): Placement[] | { none: string } {
  const suitable = suitableNodes(wish, nodes);
  if ('none' in suitable) return suitable;
  const { template } = suitable;
  const places = suitable.nodes
    .map((node, index) => ({
      node,
      limits: limitsOf(node, policy.overcommit),
      rank: rankOf(wish, template.id, node),
      index,
    }))
    .filter(({ node, limits }) => fits(wish, node, limits));
  if (places.length === 0) return { none: 'No node has room for this size.' };
  const sign = policy.strategy === 'spread' ? -1 : 1;
  const turn = (index: number) => (index + policy.turn) % suitable.nodes.length;
  return places
    .toSorted(
      (a, b) =>
        a.rank.alike - b.rank.alike ||
        a.rank.cold - b.rank.cold ||
        sign * (a.rank.free - b.rank.free) ||
        turn(a.index) - turn(b.index),
    )
    .map(({ node, limits }) => ({
      nodeId: node.id,
      template,
      network: wish.network ?? (node.network === 'isolated' ? 'internet' : 'none'),
      limits,
    }));
}

/** What may be promised of a node in all. */
export function limitsOf(node: Pick<PlacementNode, 'vcpus' | 'memoryMiB' | 'diskMiB'>, overcommit: Overcommit): Limits {
  return {
    vcpus: Math.floor(node.vcpus * overcommit.vcpus),
    memoryMiB: Math.floor(node.memoryMiB * overcommit.memory),
    diskGiB: Math.floor((node.diskMiB * overcommit.disk) / 1024),
  };
}

export function hasLabels(node: PlacementNode, wanted: PlacementWish['nodeSelector']): boolean {
  return Object.entries(wanted).every(([name, value]) => node.labels[name] === value);
}

function newestTemplate(wanted: string | undefined, nodes: readonly PlacementNode[]) {
  return nodes
    .flatMap((node) => node.templates)
    .filter((template) => wanted === undefined || template.id === wanted || template.name === wanted)
    .toSorted((a, b) => b.builtAtMs - a.builtAtMs)[0];
}

export function fits(wish: Limits, node: PlacementNode, limits: Limits): boolean {
  return (
    node.reservedVcpus + wish.vcpus <= limits.vcpus &&
    node.reservedMemoryMiB + wish.memoryMiB <= limits.memoryMiB &&
    node.reservedDiskGiB + wish.diskGiB <= limits.diskGiB &&
    node.diskFreeMiB >= diskFloorMiB
  );
}

function rankOf(wish: PlacementWish, templateId: string, node: PlacementNode) {
  const warmSize = `${wish.vcpus}x${wish.memoryMiB}`;
  const warm = node.templates.some((each) => each.id === templateId && each.warmSizes.includes(warmSize));
  const free = 1 - node.reservedMemoryMiB / Math.max(1, node.memoryMiB);
  return { alike: node.alike, cold: warm ? 0 : 1, free: Math.round(free * parts) };
}
