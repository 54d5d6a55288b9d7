import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from '../freePort.ts';

const root = join(import.meta.dirname, '..', '..');

export interface GatewayProcess {
  port: number;
  child: ChildProcess;
}

/** The gateway as a process of its own in front of an API. Its pages must have been built. */
export async function startGatewayProcess(api: { home: string; url: string }): Promise<GatewayProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'dashboard', 'server', 'main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      LEBUREAU_HOME: api.home,
      LEBUREAU_GATEWAY_LISTEN: `127.0.0.1:${port}`,
      LEBUREAU_BASE_URL: api.url,
      LEBUREAU_LOG_LEVEL: 'warn',
    },
  });
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (answer !== undefined) return { port, child };
    await Bun.sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error('The gateway did not start.');
}
