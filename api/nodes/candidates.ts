import { sql } from 'kysely';
import type { Reader } from '../db/database.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { Services } from '../services.ts';
import type { PlacementNode } from './placement.ts';
import { helloOf, listNodeRows } from './store.ts';

/** The nodes as placement looks at them. @param at.alike the label whose other desktops count as alike */
export async function candidatesFor(
  services: Services,
  db: Reader,
  at: { workspaceId: string; alike: { name: string; value: string } | undefined },
): Promise<PlacementNode[]> {
  const nowMs = services.clock.nowMs();
  const rows = await listNodeRows(db);
  const alike = at.alike === undefined ? undefined : await countAlike(db, { ...at.alike, workspaceId: at.workspaceId });
  return rows.flatMap((row) => {
    const hello = helloOf(row);
    if (hello === undefined) return [];
    const { network, templates } = hello;
    return {
      ...row,
      heard: nowMs - row.heardMs < nodeSilentMs,
      cordoned: row.cordoned === 1,
      network,
      templates,
      labels: JSON.parse(row.labelsJson) as Record<string, string>,
      alike: alike?.get(row.id) ?? 0,
    };
  });
}

async function countAlike(
  db: Reader,
  label: { workspaceId: string; name: string; value: string },
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('desktopLabels')
    .innerJoin('desktops', 'desktops.id', 'desktopLabels.desktopId')
    .select(['desktops.nodeId', sql<number>`count(*)`.as('count')])
    .where('desktopLabels.workspaceId', '=', label.workspaceId)
    .where('desktopLabels.name', '=', label.name)
    .where('desktopLabels.value', '=', label.value)
    .where('desktops.destroyedMs', 'is', null)
    .groupBy('desktops.nodeId')
    .execute();
  return new Map(rows.map((row) => [row.nodeId, Number(row.count)]));
}
