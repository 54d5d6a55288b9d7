import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { Database } from './db/database.ts';
import type { Authenticator } from './keys/auth.ts';
import type { Overcommit } from './nodes/placement.ts';

/** What operations work with. */
export interface Services {
  database: Database;
  authenticator: Authenticator;
  overcommit: Overcommit;
  reclaimAfterSeconds: number;
  sourceUrl: string;
  /** Aborts when the process begins to stop: what waits or follows ends then, instead of holding the end up. */
  ending: AbortSignal;
  clock: Clock;
  log: Log;
}
