/** Where a desktop goes. Pure: what is known of the nodes comes in, the order in which to try them comes out. */

export interface PlacementWish {
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  /** Id or name; undefined: the newest there is. */
  template: string | undefined;
  /** Undefined: internet where the node has it. */
  network: 'internet' | 'none' | undefined;
}

export interface PlacementNode {
  id: string;
  heard: boolean;
  cordoned: boolean;
  vcpus: number;
  memoryMiB: number;
  diskFreeMiB: number;
  reservedVcpus: number;
  reservedMemoryMiB: number;
  network: 'isolated' | 'none';
  templates: readonly { id: string; name: string; warmSizes: readonly string[]; builtAtMs: number }[];
}

/** How much more than it has may be promised of a node: 1.5 is half as much again. */
export interface Overcommit {
  vcpus: number;
  memory: number;
}

export interface Placement {
  nodeId: string;
  template: { id: string; name: string };
  network: 'internet' | 'none';
  /** What the node may hold reserved in all, this desktop included. */
  limits: { vcpus: number; memoryMiB: number };
}

/** A node with less free disk than this gets no new desktop. */
const diskFloorMiB = 2048;

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
  const suitable = up.filter((node) => wish.network !== 'internet' || node.network === 'isolated');
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

/** @returns the possible places, best first: warm before cold, then most free memory. Or why there is none. */
export function placeDesktop(
  wish: PlacementWish,
  nodes: readonly PlacementNode[],
  overcommit: Overcommit,
): Placement[] | { none: string } {
  const suitable = suitableNodes(wish, nodes);
  if ('none' in suitable) return suitable;
  const { template } = suitable;
  const warmSize = `${wish.vcpus}x${wish.memoryMiB}`;
  const places = suitable.nodes
    .map((node) => ({ node, limits: limitsOf(node, overcommit) }))
    .filter(({ node, limits }) => fits(wish, node, limits))
    .toSorted((a, b) => score(b.node, template.id, warmSize) - score(a.node, template.id, warmSize));
  if (places.length === 0) return { none: 'No node has room for this size.' };
  return places.map(({ node, limits }) => ({
    nodeId: node.id,
    template,
    network: wish.network ?? (node.network === 'isolated' ? 'internet' : 'none'),
    limits,
  }));
}

/** What may be promised of a node in all. */
export function limitsOf(
  node: Pick<PlacementNode, 'vcpus' | 'memoryMiB'>,
  overcommit: Overcommit,
): Placement['limits'] {
  return {
    vcpus: Math.floor(node.vcpus * overcommit.vcpus),
    memoryMiB: Math.floor(node.memoryMiB * overcommit.memory),
  };
}

function newestTemplate(wanted: string | undefined, nodes: readonly PlacementNode[]) {
  return nodes
    .flatMap((node) => node.templates)
    .filter((template) => wanted === undefined || template.id === wanted || template.name === wanted)
    .toSorted((a, b) => b.builtAtMs - a.builtAtMs)[0];
}

function fits(wish: PlacementWish, node: PlacementNode, limits: Placement['limits']): boolean {
  return (
    node.reservedVcpus + wish.vcpus <= limits.vcpus &&
    node.reservedMemoryMiB + wish.memoryMiB <= limits.memoryMiB &&
    node.diskFreeMiB >= diskFloorMiB
  );
}

function score(node: PlacementNode, templateId: string, warmSize: string): number {
  const warm = node.templates.some((each) => each.id === templateId && each.warmSizes.includes(warmSize));
  const free = 1 - node.reservedMemoryMiB / Math.max(1, node.memoryMiB);
  return (warm ? 10 : 0) + Math.max(-5, free);
}
