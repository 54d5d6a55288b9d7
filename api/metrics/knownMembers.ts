import type { AssignmentRow } from '../db/tables.ts';

/** A desktop of a node, by its assignment. */
export type Member = Pick<AssignmentRow, 'id' | 'desktopId' | 'vcpus' | 'memoryMiB' | 'diskGiB'> & {
  createdMs: number;
};

const nodesMax = 1000;

/**
 * The desktops of nodes, as long as epoch and revision of the node are the same: every change of its orders raises the
 * revision in the same transaction, and a node whose orders were ended without hearing it comes back with a new epoch.
 */
export class KnownMembers {
  readonly #nodes = new Map<string, { mark: string; members: ReadonlyMap<string, Member> }>();
  readonly #turns = new Map<string, number>();

  /** How many reports of this node came here, this one included. */
  turn(nodeId: string): number {
    const turn = (this.#turns.get(nodeId) ?? 0) + 1;
    if (this.#turns.size >= nodesMax) this.#turns.clear();
    this.#turns.set(nodeId, turn);
    return turn;
  }

  async of(
    node: { id: string; epoch: number; revision: number },
    read: () => Promise<ReadonlyMap<string, Member>>,
  ): Promise<ReadonlyMap<string, Member>> {
    const mark = `${node.epoch} ${node.revision}`;
    const known = this.#nodes.get(node.id);
    if (known?.mark === mark) return known.members;
    const members = await read();
    if (this.#nodes.size >= nodesMax) this.#nodes.clear();
    this.#nodes.set(node.id, { mark, members });
    return members;
  }
}
