import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { type Happening, record } from '../events/record.ts';
import type { Caller } from '../keys/auth.ts';
import type { Services } from '../services.ts';

/** Who asks for a change of a node. */
export interface NodeAct {
  caller: Caller;
  requestId: string;
  nodeId: string;
}

/** An event of a node, in the workspace of whoever caused it: nodes belong to none. */
export async function tellNode(
  services: Services,
  write: Write,
  what: { act: NodeAct; node: NodeRow; type: Happening['type']; data?: Record<string, unknown> },
): Promise<void> {
  const { act, node, type, data } = what;
  services.log.info(type, { node: node.name, nodeId: node.id, actorId: act.caller.actor.id, ...data });
  await record(write, services.clock, {
    type,
    workspaceId: act.caller.workspaceId,
    actor: act.caller.actor,
    requestId: act.requestId,
    data: { nodeId: node.id, name: node.name, ...data },
  });
}
