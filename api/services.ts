import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { Database } from './db/database.ts';
import type { Authenticator } from './keys/auth.ts';
import type { Authority } from './nodes/authority.ts';
import type { Demand } from './pool/demand.ts';
import type { Replicas } from './reach/replicas.ts';
import type { PlacementPolicy } from './nodes/placement.ts';

/** What operations work with. */
export interface Services {
  database: Database;
  authenticator: Authenticator;
  placement: Omit<PlacementPolicy, 'turn'>;
  reclaimAfterSeconds: number;
  /** Whether nodes are asked to tell what their desktops use. */
  metrics: boolean;
  /** Absent where nodes come by the Unix socket only. */
  authority: Authority | undefined;
  /** What was created of late, for the pool. */
  demand: Demand;
  /** Those with a listener for nodes of other machines. */
  replicas: Replicas;
  /** `https://…` of our node listener as others reach it. */
  nodeAddress: string | undefined;
  sourceUrl: string;
  /** Aborts when the process begins to stop: what waits or follows ends then, instead of holding the end up. */
  ending: AbortSignal;
  clock: Clock;
  log: Log;
}
