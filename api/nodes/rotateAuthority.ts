import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Reader, Write } from '../db/database.ts';
import { record } from '../events/record.ts';
import { type Route, route, writeRoute } from '../http/route.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import * as contract from './authorityContract.ts';
import { authorityOf } from './join.ts';
import { findRotation, hindrancesOf } from './rotation.ts';

const deadlineSecondsDefault = 604_800;
const nodesListedMax = 100;

/** How an operator replaces the authorities. */
export function authorityRoutes(services: Services): Route[] {
  return [
    route(contract.getNodeAuthority, async () => ({
      status: 200,
      body: await describe(services, services.database.read),
    })),
    writeRoute(contract.rotateNodeAuthority, async ({ caller, requestId, body }, write) => {
      await begin(services, write, { caller, requestId, ...body });
      return { status: 200, body: await describe(services, write.db) };
    }),
  ];
}

async function begin(
  services: Services,
  write: Write,
  at: { caller: Caller; requestId: string; deadlineSeconds?: number },
): Promise<void> {
  const { caller, requestId, deadlineSeconds = deadlineSecondsDefault } = at;
  const authority = authorityOf(services);
  const generation = authority.newest + 1;
  const deadlineMs = services.clock.nowMs() + deadlineSeconds * 1000;
  if ((await findRotation(write.db)) !== undefined || !(await authority.addGeneration(write, deadlineMs)))
    throw new Fault('wrong_state', 'The authorities are being replaced already.', {
      hint: 'GET /v1/nodes/authority says what that waits for.',
    });
  services.log.info('authority.rotating', { generation, deadlineSeconds, keyId: caller.keyId });
  await record(write, services.clock, {
    type: 'authority.rotating',
    workspaceId: caller.workspaceId,
    actor: { type: 'key', id: caller.keyId },
    requestId,
    data: { generation, deadlineSeconds },
  });
}

async function describe(services: Services, db: Reader): Promise<Static<typeof contract.NodeAuthority>> {
  const authority = authorityOf(services);
  const shown = { generation: authority.shown, fingerprint: authority.fingerprint };
  const rotation = await findRotation(db);
  if (rotation === undefined) return { ...shown, rotation: null };
  const { row, step } = rotation;
  const { replicas, joinTokens, nodeIds } = await hindrancesOf(services, db, rotation);
  return {
    ...shown,
    rotation: {
      generation: row.generation,
      startedAt: toRfc3339(row.createdMs),
      deadlineAt: toRfc3339(row.deadlineMs ?? row.createdMs),
      step,
      waitsFor: { replicas, joinTokens, nodes: nodeIds.length, nodeIds: nodeIds.slice(0, nodesListedMax) },
    },
  };
}
