import { ApiProcess } from '../../api/testing/apiProcess.ts';
import { type TestPostgres, startTestPostgres } from '../../api/testing/postgres.ts';
import { freePort } from '../freePort.ts';

/** Two replicas of the API as processes of their own, on one Postgres. */
export interface Fleet {
  replicas: readonly FleetReplica[];
  databaseUrl: string;
  /** One REST call at a replica, with the first key. */
  ask(replica: number, method: string, call: FleetCall): Promise<FleetAnswer>;
  newToken(nodeName: string): Promise<string>;
  close(): Promise<void>;
}

export interface FleetReplica {
  process: ApiProcess;
  /** Of its node listener. */
  nodeAddress: string;
}

export interface FleetCall {
  path: string;
  body?: unknown;
  key?: string;
}

export interface FleetAnswer {
  status: number;
  // Tests read any member.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

const replicasCount = 2;

export async function startFleet(environment: Record<string, string> = {}): Promise<Fleet> {
  const postgres: TestPostgres = await startTestPostgres();
  const databaseUrl = await postgres.newDatabase();
  const replicas: FleetReplica[] = [];
  for (let count = 0; count < replicasCount; count++) {
    const nodePort = await freePort();
    const process = new ApiProcess({
      LEBUREAU_DATABASE_URL: databaseUrl,
      LEBUREAU_NODE_LISTEN: `tls:127.0.0.1:${nodePort}`,
      LEBUREAU_NODE_CA_KEY: Buffer.alloc(32, 7).toString('base64'),
      LEBUREAU_LOG_LEVEL: 'warn',
      LEBUREAU_POOL_MEMBERS_MAX: '0',
      ...environment,
    });
    await process.start();
    replicas.push({ process, nodeAddress: `https://127.0.0.1:${nodePort}` });
  }
  // The first replica made the first key; there is only one file of it.
  const { secret } = replicas[0]!.process;
  const fleet: Fleet = {
    replicas,
    databaseUrl,
    async ask(replica, method, { path, body, key }) {
      const response = await fetch(replicas[replica]!.process.url + path, {
        method,
        headers: {
          authorization: `Bearer ${secret}`,
          ...(key === undefined ? {} : { 'idempotency-key': key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    },
    async newToken(nodeName) {
      const { status, body } = await fleet.ask(0, 'POST', { path: '/v1/nodes/join-tokens', body: { nodeName } });
      if (status !== 201) throw new Error(`join-tokens answered ${status}: ${JSON.stringify(body)}`);
      return (body as { token: string }).token;
    },
    async close() {
      for (const { process } of replicas) await process.remove();
      await postgres.stop();
    },
  };
  return fleet;
}
