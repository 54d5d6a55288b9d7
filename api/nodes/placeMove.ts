import {
  type Limits,
  type PlacementNode,
  type PlacementPolicy,
  type PlacementWish,
  fits,
  hasLabels,
  limitsOf,
} from './placement.ts';

/** What a desktop that exists needs elsewhere; no template, for its disk comes with it. Off, it needs no processors and memory. */
export interface MoveWish extends Pick<PlacementWish, 'vcpus' | 'memoryMiB' | 'diskGiB' | 'nodeSelector'> {
  network: string;
  cluster: string;
}

export interface MovePlace {
  nodeId: string;
  /** Its name in the cluster. */
  member: string;
  limits: Limits;
}

/** Where a desktop can be moved to, best first, or why nowhere. Pure. */
export function placeMove(
  wish: MoveWish,
  nodes: readonly PlacementNode[],
  policy: PlacementPolicy,
): MovePlace[] | { none: string } {
  const members = nodes.filter((node) => node.cluster?.id === wish.cluster);
  // Of two that claim one name nobody knows which is meant.
  const isAlone = (node: PlacementNode) =>
    members.every((other) => other === node || other.cluster?.member !== node.cluster?.member);
  const others = members.filter((node) => node.heard && !node.cordoned && isAlone(node));
  if (others.length === 0) return { none: 'No other node of its cluster is up and takes desktops.' };
  const suitable = others.filter(
    (node) => hasLabels(node, wish.nodeSelector) && (wish.network !== 'internet' || node.network === 'isolated'),
  );
  if (suitable.length === 0) return { none: 'No other node of its cluster has its network and labels.' };
  const places = suitable
    .map((node) => ({ node, limits: limitsOf(node, policy.overcommit) }))
    .filter(({ node, limits }) => fits(wish, node, limits));
  if (places.length === 0) return { none: 'No other node of its cluster has room for it.' };
  const sign = policy.strategy === 'spread' ? 1 : -1;
  const share = (node: PlacementNode) => node.reservedMemoryMiB / Math.max(1, node.memoryMiB);
  return places
    .toSorted((a, b) => sign * (share(a.node) - share(b.node)))
    .map(({ node, limits }) => ({ nodeId: node.id, member: node.cluster!.member, limits }));
}
