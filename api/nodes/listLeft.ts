import type { Reader } from '../db/database.ts';
import type { Static } from '../http/schema.ts';
import type { Node } from './publicContract.ts';

type Left = NonNullable<Static<typeof Node>['drain']>['desktops'];

const leftMax = 1000;

/** Desktops that are still on a node that is to be left. */
export async function listLeft(db: Reader, nodeId: string): Promise<Left> {
  const rows = await db
    .selectFrom('assignments')
    .select(['desktopId', 'moveTo', 'moveNodeId', 'moveFaultJson'])
    .where('nodeId', '=', nodeId)
    .where('closedMs', 'is', null)
    .where('desktopId', 'is not', null)
    .orderBy('id')
    .limit(leftMax)
    .execute();
  return rows.map((row) => {
    const fault = row.moveFaultJson === null ? undefined : (JSON.parse(row.moveFaultJson) as { message: string });
    const isMoving = row.moveTo !== null;
    const state = isMoving ? 'moving' : fault === undefined ? 'waiting' : 'staying';
    return { id: row.desktopId!, state, toNodeId: isMoving ? row.moveNodeId : null, reason: fault?.message ?? null };
  });
}
