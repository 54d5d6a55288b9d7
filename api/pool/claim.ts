import { attempt } from '../db/attempt.ts';
import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import type { PlacementNode } from '../nodes/placement.ts';
import { orderChanged } from '../nodes/store.ts';
import { type PoolKind, poolKeyOf } from './kind.ts';
import { claimMember, listReady } from './store.ts';

type Owner = Pick<AssignmentRow, 'desktopId' | 'workspaceId' | 'hostName' | 'timeZone'>;

/** Gives the desktop a machine of its kind that waits on one of these nodes. Undefined: there is none, or others were faster. */
export async function claimReady(
  write: Write,
  wish: { kind: PoolKind; nodes: readonly PlacementNode[]; owner: Owner },
): Promise<AssignmentRow | undefined> {
  const poolKey = poolKeyOf(wish.kind);
  const nodeIds = new Set(wish.nodes.map((node) => node.id));
  for (const { id, nodeId } of await listReady(write.db, poolKey)) {
    if (!nodeIds.has(nodeId)) continue;
    const claimed = await attempt(write, async () => {
      // The node's row first, as every writer of its orders takes it.
      await orderChanged(write, nodeId);
      // Under its lock: whoever cordoned, drained or fenced it meanwhile was told that nothing new comes.
      const node = await write.db.selectFrom('nodes').select('cordoned').where('id', '=', nodeId).executeTakeFirst();
      if (node?.cordoned !== 0) return undefined;
      return claimMember(write, { id, poolKey }, { ...wish.owner, configJson: '{}' });
    });
    if (claimed !== undefined) return claimed;
  }
  return undefined;
}
