import { toRfc3339 } from '@lebureau/kit/clock';
import { notFound } from '../http/problem.ts';
import { type Route, route } from '../http/route.ts';
import { findKey } from '../keys/store.ts';
import type { Services } from '../services.ts';
import { findWorkspace } from '../workspaces/store.ts';
import { getMe } from './contract.ts';

export function meRoutes(services: Services): Route[] {
  const { read } = services.database;
  return [
    route(getMe, async ({ caller }) => {
      const workspace = await findWorkspace(read, caller.workspaceId);
      const row = await findKey(read, caller.workspaceId, caller.keyId);
      if (row === undefined) throw notFound('key');
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
        key: {
          id: row.id,
          name: row.name,
          lastFour: row.lastFour,
          expiresAt: row.expiresMs === null ? null : toRfc3339(row.expiresMs),
        },
        capabilities: [...caller.capabilities],
        restriction: caller.restriction,
        user: null,
        role: caller.capabilities.has('keys:write') ? 'owner' : 'member',
        tier: workspace.tier,
        quota: { limit, used },
      };
      return { status: 200, body };
    }),
  ];
}
