import { sql } from 'kysely';
import { nodeSilentMs } from '../desktops/view.ts';
import { listNodeRows } from '../nodes/store.ts';
import { listMembers } from '../pool/store.ts';
import type { Services } from '../services.ts';

/** What there is right now, as Prometheus reads it. */
export async function gaugesText(services: Services): Promise<string> {
  const { read } = services.database;
  const nowMs = services.clock.nowMs();
  const { rows } = await sql<{
    desired: string;
    power: string;
    count: number;
  }>`select "desired", "power", count(*) as "count"
    from "assignments" where "closedMs" is null group by "desired", "power"`.execute(read);
  const nodes = await listNodeRows(read);
  const members = await listMembers(read);
  const waiting = (ready: number) => members.filter((member) => member.ready === ready).length;
  const lines = [
    '# HELP lebureau_assignments Machines by what is wanted and what was seen.',
    '# TYPE lebureau_assignments gauge',
    ...rows.map((row) => `lebureau_assignments{desired="${row.desired}",power="${row.power}"} ${Number(row.count)}`),
    '# HELP lebureau_pool_members Machines that wait for who asks next.',
    '# TYPE lebureau_pool_members gauge',
    ...[0, 1].map((ready) => `lebureau_pool_members{ready="${ready}"} ${waiting(ready)}`),
    '# HELP lebureau_nodes_up Nodes that were heard within 30 s.',
    '# TYPE lebureau_nodes_up gauge',
    `lebureau_nodes_up ${nodes.filter((node) => nowMs - node.heardMs < nodeSilentMs).length}`,
    '# HELP lebureau_node_heard_timestamp_seconds When the node was last heard.',
    '# TYPE lebureau_node_heard_timestamp_seconds gauge',
    ...nodes.map((node) => `lebureau_node_heard_timestamp_seconds{node="${node.name}"} ${node.heardMs / 1000}`),
    '# HELP lebureau_node_reserved_memory_mib Memory promised to desktops.',
    '# TYPE lebureau_node_reserved_memory_mib gauge',
    ...nodes.map((node) => `lebureau_node_reserved_memory_mib{node="${node.name}"} ${node.reservedMemoryMiB}`),
    '# HELP process_resident_memory_bytes Resident memory.',
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
  ];
  return `${lines.join('\n')}\n`;
}
