import { sql } from 'kysely';
import type { Reader } from '../db/database.ts';
import { type NodeSeen, nodeSilentMs } from '../desktops/view.ts';
import type { PlacementNode } from './placement.ts';
import { helloOf, listNodeRows } from './store.ts';

/** What was built later than that by the clock of its node would be the newest until then: it counts as the oldest. */
const clockSkewMs = 3_600_000;

/** A label whose other desktops count as alike. */
export interface Likeness {
  workspaceId: string;
  name: string;
  value: string;
}

/** All nodes that were heard once, as placement wants to know them. */
export async function placementNodes(
  db: Reader,
  nowMs: number,
  likeness?: Likeness,
): Promise<(PlacementNode & NodeSeen)[]> {
  const rows = await listNodeRows(db);
  const alike = likeness === undefined ? undefined : await countAlike(db, likeness);
  return rows.flatMap((row) => {
    const hello = helloOf(row);
    if (hello === undefined) return [];
    const { network, templates, cluster } = hello;
    return {
      ...row,
      heard: nowMs - row.heardMs < nodeSilentMs,
      cordoned: row.cordoned === 1,
      network,
      cluster,
      templates: templates.map((each) => ({
        ...each,
        builtAtMs: each.builtAtMs > nowMs + clockSkewMs ? 0 : each.builtAtMs,
      })),
      labels: JSON.parse(row.labelsJson) as Record<string, string>,
      alike: alike?.get(row.id) ?? 0,
    };
  });
}

async function countAlike(db: Reader, likeness: Likeness): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('desktopLabels')
    .innerJoin('desktops', 'desktops.id', 'desktopLabels.desktopId')
    .select(['desktops.nodeId', sql<number>`count(*)`.as('count')])
    .where('desktopLabels.workspaceId', '=', likeness.workspaceId)
    .where('desktopLabels.name', '=', likeness.name)
    .where('desktopLabels.value', '=', likeness.value)
    .where('desktops.destroyedMs', 'is', null)
    .groupBy('desktops.nodeId')
    .execute();
  return new Map(rows.map((row) => [row.nodeId, Number(row.count)]));
}
