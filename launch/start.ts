import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { keepRunning, type Running } from './children.ts';
import { type LaunchConfig, readLaunchConfig } from './config.ts';
import { ensureHomeFolder, type HomePaths, requireRoom } from './homeFolder.ts';
import { ensureSystemPackages } from './systemPackages.ts';
import { ensureTemplate } from './template.ts';
import { welcomeText } from './welcome.ts';

const root = join(import.meta.dir, '..');
const stop = new AbortController();
const drainLimitMs = 20_000;
const startLimitMs = 30_000;

process.on('SIGINT', () => stop.abort());
process.on('SIGTERM', () => stop.abort());

try {
  await start(readLaunchConfig());
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(`\n${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
process.exit(process.exitCode ?? 0);

async function start(config: LaunchConfig): Promise<void> {
  await ensureSystemPackages({ yes: process.argv.includes('--yes'), tests: false });
  const paths = ensureHomeFolder(config.home);
  await requireFreePort(config.port, 'LEBUREAU_PORT');
  await requireFreePort(config.mcpPort, 'LEBUREAU_MCP_PORT');
  if (!existsSync(join(config.home, 'templates'))) requireRoom(config.home);
  await ensureTemplate({ home: config.home, cacheDir: config.cache, out: process.stdout, signal: stop.signal });
  const first = !existsSync(paths.keyFile);
  const running = startPrograms(config, paths);
  try {
    await waitUntilReady(`http://127.0.0.1:${config.port}`, paths);
    process.stdout.write(
      welcomeText({
        apiAddress: `http://127.0.0.1:${config.port}`,
        mcpAddress: `http://127.0.0.1:${config.mcpPort}`,
        apiKey: readFileSync(paths.keyFile, 'utf8').trim(),
        keyFile: paths.keyFile,
        first,
        mcpCommand: [process.execPath, join(root, 'mcp', 'bin.ts')],
      }),
    );
    await aborted(stop.signal);
    process.stdout.write('\nDraining; desktops keep running …\n');
  } finally {
    // hostd first: it tells the API what it saw last.
    for (const program of running) await program.stop(drainLimitMs);
  }
}

function startPrograms(config: LaunchConfig, paths: HomePaths): Running[] {
  const nodeSocket = `unix:${join(paths.run, 'api-node.sock')}`;
  const shared = { LEBUREAU_HOME: config.home };
  const giveUp = (sentence: string) => {
    console.error(`\n${sentence}`);
    process.exitCode = 1;
    stop.abort();
  };
  const api = keepRunning(
    {
      name: 'api',
      command: [process.execPath, join(root, 'api', 'main.ts')],
      environment: { ...shared, LEBUREAU_API_LISTEN: `127.0.0.1:${config.port}`, LEBUREAU_NODE_LISTEN: nodeSocket },
      logPath: join(paths.logs, 'api.log'),
    },
    giveUp,
  );
  const hostd = keepRunning(
    {
      name: 'hostd',
      command: [process.execPath, join(root, 'hostd', 'main.ts')],
      environment: {
        ...shared,
        LEBUREAU_API_NODE_ADDRESS: nodeSocket,
        LEBUREAU_GUEST_SOCKET: join(paths.run, 'hostd-guest.sock'),
        LEBUREAU_NODE_NAME: nodeName(),
      },
      logPath: join(paths.logs, 'hostd.log'),
    },
    giveUp,
  );
  const mcp = keepRunning(
    {
      name: 'lb-mcp',
      command: [process.execPath, join(root, 'mcp', 'bin.ts'), '--http', `127.0.0.1:${config.mcpPort}`],
      environment: { LEBUREAU_BASE_URL: `http://127.0.0.1:${config.port}` },
      logPath: join(paths.logs, 'mcp.log'),
    },
    giveUp,
  );
  return [mcp, hostd, api];
}

function nodeName(): string {
  return (
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63) || 'node'
  );
}

function requireFreePort(port: number, variable: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () =>
      reject(
        new Error(
          `Port ${port} is taken on 127.0.0.1. Is Le Bureau running already? Stop what listens there, or choose another with ${variable}=…`,
        ),
      ),
    );
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

/** Ready is: the API answers, and a node with a template has said hello, so that the first create finds room. */
async function waitUntilReady(address: string, paths: HomePaths): Promise<void> {
  const endMs = performance.now() + startLimitMs;
  while (performance.now() < endMs) {
    if (stop.signal.aborted) throw new Error('stopped');
    if (await answersWithTemplate(address, paths.keyFile)) return;
    await Bun.sleep(200);
  }
  throw new Error(`Le Bureau did not become ready within ${startLimitMs / 1000} s. The logs say why: ${paths.logs}`);
}

async function answersWithTemplate(address: string, keyFile: string): Promise<boolean> {
  const ready = await fetch(`${address}/readyz`).catch(() => undefined);
  if (!ready?.ok || !existsSync(keyFile)) return false;
  const headers = { Authorization: `Bearer ${readFileSync(keyFile, 'utf8').trim()}` };
  const answer = await fetch(`${address}/v1/nodes`, { headers }).catch(() => undefined);
  if (!answer?.ok) return false;
  const { data } = (await answer.json()) as { data: { status: string; templateIds: string[] }[] };
  return data.some((node) => node.status === 'up' && node.templateIds.length > 0);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
