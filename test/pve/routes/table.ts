import type { Routes } from '../world/world.ts';
import { accessRoutes } from './access.ts';
import { agentRoutes } from './agent.ts';
import { cloneRoutes } from './clone.ts';
import { clusterRoutes } from './cluster.ts';
import { configRoutes } from './config.ts';
import { consoleRoutes } from './console.ts';
import { destroyRoutes } from './destroy.ts';
import { firewallRoutes } from './firewall.ts';
import { migrateRoutes } from './migrate.ts';
import { moveDiskRoutes } from './moveDisk.ts';
import { nodeRoutes } from './nodes.ts';
import { poolRoutes } from './pools.ts';
import { powerRoutes } from './power.ts';
import { snapshotRoutes } from './snapshots.ts';
import { storageRoutes } from './storages.ts';
import { taskRoutes } from './tasks.ts';
import { uploadRoutes } from './uploads.ts';
import { vmRoutes } from './vms.ts';
import { vncRoutes } from './vnc.ts';

/** Every call the double answers, by the schema's name of it. */
export const routes: Routes = {
  ...accessRoutes,
  ...agentRoutes,
  ...cloneRoutes,
  ...clusterRoutes,
  ...configRoutes,
  ...consoleRoutes,
  ...destroyRoutes,
  ...firewallRoutes,
  ...migrateRoutes,
  ...moveDiskRoutes,
  ...nodeRoutes,
  ...poolRoutes,
  ...powerRoutes,
  ...snapshotRoutes,
  ...storageRoutes,
  ...taskRoutes,
  ...uploadRoutes,
  ...vmRoutes,
  ...vncRoutes,
};
