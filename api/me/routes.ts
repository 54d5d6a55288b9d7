import { toRfc3339 } from '@lebureau/kit/clock';
import type { ApiKeyRow } from '../db/tables.ts';
import { type Route, route } from '../http/route.ts';
import { findKey } from '../keys/store.ts';
import type { Services } from '../services.ts';
import { findMember } from '../users/store.ts';
import { findWorkspace } from '../workspaces/store.ts';
import { getMe } from './contract.ts';

export function meRoutes(services: Services): Route[] {
  const { read } = services.database;
  return [
    route(getMe, async ({ caller }) => {
      const workspace = await findWorkspace(read, caller.workspaceId);
      const row = caller.actor.type !== 'key' ? undefined : await findKey(read, caller.workspaceId, caller.actor.id!);
      const userId = caller.session?.userId ?? caller.maker?.userId ?? row?.createdBy ?? '';
      const member = await findMember(read, caller.workspaceId, userId);
      const limit = {
        desktops: workspace.desktopsMax,
        vcpus: workspace.vcpusMax,
        memoryMiB: workspace.memoryMiBMax,
        diskGiB: workspace.diskGiBMax,
      };
      const used = {
        desktops: workspace.usedDesktops,
        vcpus: workspace.usedVcpus,
        memoryMiB: workspace.usedMemoryMiB,
        diskGiB: workspace.usedDiskGiB,
      };
      const body = {
        workspace: { id: workspace.id, name: workspace.name },
        key: row === undefined ? null : keyOf(row),
        grant: caller.actor.type === 'client' ? { id: caller.actor.id!, clientName: caller.actor.name! } : null,
        capabilities: [...caller.capabilities],
        restriction: caller.restriction,
        user: member === undefined ? null : { id: member.id, name: member.name, email: member.email },
        role: member?.role ?? (caller.capabilities.has('keys:write') ? 'owner' : 'member'),
        tier: workspace.tier,
        quota: { limit, used },
      };
      return { status: 200, body };
    }),
  ];
}

function keyOf(row: ApiKeyRow) {
  const expiresAt = row.expiresMs === null ? null : toRfc3339(row.expiresMs);
  return { id: row.id, name: row.name, lastFour: row.lastFour, expiresAt };
}
