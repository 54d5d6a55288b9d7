import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepRunning, type Running } from './children.ts';
import { type LaunchConfig, readLaunchConfig } from './config.ts';
import { dashboardAt } from './dashboardAt.ts';
import { requireFreePort } from './freePort.ts';
import { ensureHomeFolder, homePaths, type HomePaths, requireRoom } from './homeFolder.ts';
import { ensureSystemPackages } from './systemPackages.ts';
import { ensureTemplate } from './template.ts';
import { ensureWeb } from './web.ts';
import { type LanAddress, welcomeText } from './welcome.ts';

const root = join(import.meta.dir, '..');
const stop = new AbortController();
const drainLimitMs = 20_000;
const startLimitMs = 30_000;
/** 128 + SIGINT: what a shell calls a program that was interrupted. */
const interruptedCode = 130;

process.on('SIGINT', () => stop.abort());
process.on('SIGTERM', () => stop.abort());

try {
  const { yes, suite, lan, 'show-config': show } = readFlags();
  const config = readLaunchConfig(suite === undefined ? process.env : { ...process.env, LEBUREAU_SUITE: suite });
  if (show) showConfiguration(config);
  else await start(config, { yes, lan });
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode ||= stop.signal.aborted ? interruptedCode : 1;
}
process.exit(process.exitCode ?? 0);

function readFlags() {
  const options = {
    yes: { type: 'boolean', default: false },
    'show-config': { type: 'boolean', default: false },
    suite: { type: 'string' },
    lan: { type: 'boolean', default: process.env['LEBUREAU_LAN'] === 'on' },
  } as const;
  return parseArgs({ options }).values;
}

/** Prints again what the first start printed. */
function showConfiguration(config: LaunchConfig): void {
  const paths = homePaths(config.home);
  if (!existsSync(paths.keyFile))
    throw new Error(`There is no key in ${paths.keyFile} yet: run npm start, which makes one and shows it.`);
  process.stdout.write(welcome(config, paths, { first: true, running: false, lan: false }));
}

async function start(config: LaunchConfig, { yes, lan }: { yes: boolean; lan: boolean }): Promise<void> {
  await ensureSystemPackages({ yes, tests: false });
  const paths = ensureHomeFolder(config.home);
  await requireFreePort(config.port, 'LEBUREAU_PORT');
  await requireFreePort(config.mcpPort, 'LEBUREAU_MCP_PORT');
  if (config.dashboardListen === undefined) await requireFreePort(config.dashboardPort, 'LEBUREAU_DASHBOARD_PORT');
  ensureWeb(root);
  requireRoom(config.home);
  const { home, cache: cacheDir, suite } = config;
  await ensureTemplate({ home, cacheDir, suite, out: process.stdout, signal: stop.signal });
  const running = startPrograms(config, paths, lan);
  try {
    await waitUntilReady(config, paths, lan);
    process.stdout.write(welcome(config, paths, { first: !existsSync(paths.welcomed), running: true, lan }));
    writeFileSync(paths.welcomed, '');
    await aborted(stop.signal);
    process.stdout.write('\nDraining; desktops keep running …\n');
  } finally {
    // hostd first: it tells the API what it saw last.
    for (const program of running) await program.stop(drainLimitMs);
  }
}

function welcome(
  config: LaunchConfig,
  paths: HomePaths,
  how: { first: boolean; running: boolean; lan: boolean },
): string {
  return welcomeText({
    apiAddress: `http://127.0.0.1:${config.port}`,
    mcpAddress: `http://127.0.0.1:${config.mcpPort}`,
    dashboardAddress: dashboardAt(config, how.lan).shown,
    ownerLink: existsSync(paths.ownerLink) ? readFileSync(paths.ownerLink, 'utf8').trim() : undefined,
    apiKey: readFileSync(paths.keyFile, 'utf8').trim(),
    keyFile: paths.keyFile,
    first: how.first,
    running: how.running,
    lan: how.lan ? (JSON.parse(readFileSync(paths.lanAddress, 'utf8')) as LanAddress) : undefined,
    mcpCommand: [process.execPath, join(root, 'mcp', 'bin.ts')],
  });
}

function startPrograms(config: LaunchConfig, paths: HomePaths, lan: boolean): Running[] {
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
      environment: {
        ...shared,
        LEBUREAU_API_LISTEN: `127.0.0.1:${config.port}`,
        LEBUREAU_NODE_LISTEN: config.nodeListen ?? nodeSocket,
      },
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
  const gateway = keepRunning(
    {
      name: 'gateway',
      command: [process.execPath, join(root, 'dashboard', 'server', 'main.ts')],
      environment: {
        ...shared,
        LEBUREAU_GATEWAY_LISTEN: dashboardAt(config, lan).listen,
        LEBUREAU_LAN: lan ? 'on' : 'off',
        LEBUREAU_BASE_URL: `http://127.0.0.1:${config.port}`,
        LEBUREAU_MCP_URL: `http://127.0.0.1:${config.mcpPort}/mcp`,
      },
      logPath: join(paths.logs, 'gateway.log'),
    },
    giveUp,
  );
  return [gateway, mcp, hostd, api];
}

/**
 * Ready is: the API answers, a node with a template has said hello, so that the first create finds room, and MCP
 * answers over HTTP. Only the question for templates needs the key, whose requests are counted: it comes last and seldom.
 */
async function waitUntilReady(config: LaunchConfig, paths: HomePaths, lan: boolean): Promise<void> {
  const address = `http://127.0.0.1:${config.port}`;
  const beganMs = Date.now();
  const endMs = performance.now() + startLimitMs;
  const looks: [() => Promise<boolean>, everyMs: number][] = [
    [() => hasNode(address, beganMs), 50],
    [() => answers(`http://127.0.0.1:${config.mcpPort}/mcp`), 50],
    [() => answers(`${dashboardAt(config, lan).asked}/healthz`), 50],
    [() => hasTemplate(address, paths.keyFile), 2000],
  ];
  for (const [isSo, everyMs] of looks) {
    while (!(await isSo())) {
      if (stop.signal.aborted) throw new Error('Stopped.');
      if (performance.now() > endMs)
        throw new Error(
          `Le Bureau did not become ready within ${startLimitMs / 1000} s. The logs say why: ${paths.logs}`,
        );
      await Bun.sleep(everyMs);
    }
  }
}

/** One that was heard since: a second start must not take the node of the first for the present one. */
async function hasNode(address: string, sinceMs: number): Promise<boolean> {
  const ready = await fetch(`${address}/readyz`).catch(() => undefined);
  if (!ready?.ok) return false;
  const metrics = await fetch(`${address}/metrics`).then((answer) => answer.text());
  const heard = metrics.matchAll(/^lebureau_node_heard_timestamp_seconds\S* (\S+)$/gm);
  return [...heard].some(([, seconds]) => Number(seconds) * 1000 >= sinceMs);
}

/** MCP without a key is 401; any answer says that it serves. */
async function answers(address: string): Promise<boolean> {
  // With a certificate of its own making; nothing is said to it.
  return (await fetch(address, { tls: { rejectUnauthorized: false } }).catch(() => undefined)) !== undefined;
}

async function hasTemplate(address: string, keyFile: string): Promise<boolean> {
  const headers = { Authorization: `Bearer ${readFileSync(keyFile, 'utf8').trim()}` };
  const answer = await fetch(`${address}/v1/nodes`, { headers });
  if (!answer.ok) return false;
  const { data } = (await answer.json()) as { data: { status: string; templateIds: string[] }[] };
  return data.some((node) => node.status === 'up' && node.templateIds.length > 0);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
