import type { Reader } from '../db/database.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { PlacementNode } from './placement.ts';
import { helloOf, listNodeRows } from './store.ts';

/** All nodes, as placement wants to know them. */
export async function placementNodes(db: Reader, nowMs: number): Promise<PlacementNode[]> {
  return (await listNodeRows(db)).map((row) => {
    const { network, templates } = helloOf(row);
    return { ...row, heard: nowMs - row.heardMs < nodeSilentMs, cordoned: row.cordoned === 1, network, templates };
  });
}
