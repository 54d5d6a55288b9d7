import type { Database } from '../db/database.ts';
import type { TunnelRow } from '../db/tables.ts';

/** Which replica holds the tunnel of a node, so that the others find the way. */

/** A row that was not renewed for this long is of a replica that is gone. */
const staleMs = 30_000;

export async function writeTunnels(database: Database, rows: readonly TunnelRow[]): Promise<void> {
  await database.write(async ({ db }) => {
    // In one order everywhere, so that replicas do not wait for each other in a circle.
    for (const row of rows.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))) {
      const { nodeId: _, ...change } = row;
      await db
        .insertInto('tunnels')
        .values(row)
        .onConflict((conflict) => conflict.column('nodeId').doUpdateSet(change))
        .execute();
    }
  });
}

export async function forgetTunnels(database: Database, replicaId: string): Promise<void> {
  await database.write(({ db }) => db.deleteFrom('tunnels').where('replicaId', '=', replicaId).execute());
}

/** The address of the replica that can reach this node, if it is another one than ours. */
export async function replicaFor(
  database: Database,
  at: { nodeId: string; ownId: string; nowMs: number },
): Promise<string | undefined> {
  const row = await database.read
    .selectFrom('tunnels')
    .select('replicaAddress')
    .where('nodeId', '=', at.nodeId)
    .where('replicaId', '<>', at.ownId)
    .where('heardMs', '>', at.nowMs - staleMs)
    .executeTakeFirst();
  return row?.replicaAddress;
}
