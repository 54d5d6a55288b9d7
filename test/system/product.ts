import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { expectPublic } from '../contract.ts';
import { freePort } from '../freePort.ts';
import { type Hypervisor, qemu, type Site } from './hypervisors.ts';

/** The whole product as processes of their own, on a home folder made for one test; the template is shared and read-only. */

const root = join(import.meta.dirname, '..', '..');
const readyLimitMs = 60_000;
const statusLimitMs = 400_000;

export type ProgramName = 'api' | 'hostd' | 'mcp' | 'gateway';

export interface Service {
  home: string;
  baseUrl: string;
  mcpUrl: string;
  /** Of the dashboard, as browsers know it. */
  publicUrl: string;
  /** A key that may do everything. */
  apiKey: string;
  start(name: ProgramName): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(name: ProgramName): Promise<void>;
  /** SIGTERM, and waits; SIGKILL after 20 s. @returns the exit code. */
  stop(name: ProgramName): Promise<number | null>;
  pid(name: ProgramName): number | undefined;
  log(name: ProgramName): string;
  /** Deletes every desktop, ends all programs, removes the home folder. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  programs?: ProgramName[];
  /** Of the API. */
  environment?: Record<string, string>;
  /** Where the gateway listens, when something must know it before. */
  gatewayPort?: number;
  /** Where the API listens for nodes of other machines. */
  nodePort?: number;
  /** Further variables of the gateway. */
  gateway?: () => Record<string, string>;
  /** QEMU by default. */
  hypervisor?: Hypervisor;
}

/** The folder that holds `templates/`, made by `npm test`. Undefined: VM tests are skipped. */
export const templateHome = process.env['LEBUREAU_TEST_HOME'];

/** Why no real VM can run here, or undefined. */
export function vmSkipReason(hypervisor: Hypervisor = qemu): string | undefined {
  if (hypervisor.skip !== undefined) return hypervisor.skip;
  if (!hypervisor.hasProcesses) return undefined;
  if (templateHome === undefined) return 'LEBUREAU_TEST_HOME is not set (npm test sets it)';
  if (!existsSync(join(templateHome, 'templates'))) return `${templateHome} holds no template`;
  return undefined;
}

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const home = mkdtempSync('/var/tmp/lb-system-');
  chmodSync(home, 0o711);
  mkdirSync(join(home, 'run'), { mode: 0o700 });
  mkdirSync(join(home, 'logs'), { mode: 0o700 });
  if (templateHome !== undefined) symlinkSync(join(templateHome, 'templates'), join(home, 'templates'));
  // Else each service would find out for ten seconds that KVM does not run.
  if (templateHome !== undefined && existsSync(join(templateHome, 'kvm.json')))
    copyFileSync(join(templateHome, 'kvm.json'), join(home, 'kvm.json'));
  const site = await openSite(options.hypervisor ?? qemu, home);
  const [apiPort, mcpPort] = [await freePort(), await freePort()];
  const gatewayPort = options.gatewayPort ?? (await freePort());
  const publicUrl = `http://localhost:${gatewayPort}`;
  const baseUrl = `http://127.0.0.1:${apiPort}`;
  const children = new Map<ProgramName, ChildProcess>();
  const nodeSocket = `unix:${join(home, 'run', 'api-node.sock')}`;
  const environments: Record<ProgramName, Record<string, string>> = {
    api: {
      LEBUREAU_HOME: home,
      LEBUREAU_API_LISTEN: `127.0.0.1:${apiPort}`,
      LEBUREAU_NODE_LISTEN: nodeSocket + (options.nodePort === undefined ? '' : `,tls:127.0.0.1:${options.nodePort}`),
      LEBUREAU_RATE_LIMITS: 'off',
      // Machines that nobody asked for are for the tests that are about them.
      LEBUREAU_POOL_MEMBERS_MAX: '0',
      ...options.environment,
    },
    hostd: {
      LEBUREAU_HOME: home,
      LEBUREAU_API_NODE_ADDRESS: nodeSocket,
      LEBUREAU_GUEST_SOCKET: join(home, 'run', 'hostd-guest.sock'),
      LEBUREAU_NODE_NAME: 'test',
      ...site.environment,
    },
    mcp: { LEBUREAU_BASE_URL: baseUrl },
    gateway: {
      LEBUREAU_HOME: home,
      LEBUREAU_GATEWAY_LISTEN: `127.0.0.1:${gatewayPort}`,
      LEBUREAU_BASE_URL: baseUrl,
      LEBUREAU_MCP_URL: `http://127.0.0.1:${mcpPort}/mcp`,
      ...options.gateway?.(),
    },
  };
  const commands: Record<ProgramName, string[]> = {
    api: ['api/main.ts'],
    hostd: ['hostd/main.ts'],
    mcp: ['mcp/bin.ts', '--http', `127.0.0.1:${mcpPort}`],
    gateway: ['dashboard/server/main.ts'],
  };
  const logPath = (name: ProgramName) => join(home, 'logs', `${name}.log`);

  const service: Service = {
    home,
    baseUrl,
    mcpUrl: `http://127.0.0.1:${mcpPort}/mcp`,
    publicUrl,
    apiKey: '',
    async start(name) {
      const log = openSync(logPath(name), 'a', 0o600);
      const [script, ...args] = commands[name];
      const program = [...(name === 'hostd' ? site.enter : []), process.execPath, join(root, script!), ...args];
      const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...program], {
        stdio: ['ignore', log, log],
        env: { ...plainEnvironment(), ...environments[name] },
        detached: true,
      });
      closeSync(log);
      children.set(name, child);
      await Promise.resolve();
    },
    async kill(name) {
      await endProcess(children.get(name), 'SIGKILL');
      children.delete(name);
    },
    async stop(name) {
      const code = await endProcess(children.get(name), 'SIGTERM');
      children.delete(name);
      return code;
    },
    pid: (name) => children.get(name)?.pid,
    log: (name) =>
      (existsSync(logPath(name)) ? readFileSync(logPath(name), 'utf8') : '') + (name === 'hostd' ? site.log() : ''),
    async close() {
      if (service.apiKey !== '') await deleteEverything(service).catch(() => undefined);
      for (const name of ['gateway', 'mcp', 'hostd', 'api'] as const) await service.stop(name);
      await site.close();
      endMachines(home);
      rmSync(home, { recursive: true, force: true });
    },
  };

  try {
    const programs = options.programs ?? (['api', 'hostd'] as ProgramName[]);
    for (const name of programs.filter((each) => each !== 'gateway')) await service.start(name);
    await waitFor(
      async () => (await fetch(`${baseUrl}/readyz`).catch(() => undefined))?.ok === true,
      () => `the API did not become ready:\n${service.log('api').slice(-3000)}`,
    );
    service.apiKey = readFileSync(join(home, 'api-key'), 'utf8').trim();
    // It reads the key that the first start of the API made.
    if (programs.includes('gateway')) await service.start('gateway');
    if (programs.includes('gateway'))
      await waitFor(
        async () => (await fetch(`${publicUrl}/healthz`).catch(() => undefined))?.ok === true,
        () => `the gateway did not become ready:\n${service.log('gateway').slice(-3000)}`,
      );
    if (children.has('hostd')) await waitForNode(service);
    return service;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** A test that fails to open one leaves no folder behind. */
async function openSite(hypervisor: Hypervisor, home: string): Promise<Site> {
  try {
    return await hypervisor.open({ home, templateHome: templateHome ?? '' });
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

/** Machines that wait in the pool outlive the service; those of this one end with it. */
function endMachines(home: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.startsWith('qemu-system') && command.includes(`${home}/`)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Waits until a node with a template has said hello. */
export async function waitForNode(service: Service): Promise<void> {
  await waitFor(
    async () => {
      const { data } = (await call(service, 'GET', '/v1/templates')).body as { data?: unknown[] };
      return (data?.length ?? 0) > 0;
    },
    () => `no node with a template came:\n${service.log('hostd').slice(-3000)}`,
  );
}

export interface Answer {
  status: number;
  headers: Headers;
  // Tests read any member.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** One REST call with the service's key; the answer must be as the contract says. */
export async function call(
  service: { baseUrl: string; apiKey: string },
  method: string,
  pathAndBody: string | { path: string; body?: unknown; headers?: Record<string, string> },
): Promise<Answer> {
  const { path, body, headers } =
    typeof pathAndBody === 'string' ? { path: pathAndBody, body: undefined, headers: {} } : pathAndBody;
  const response = await fetch(`${service.baseUrl}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${service.apiKey}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await expectPublic(response, method, path) };
}

/** Creates a desktop and waits until it is running and ready. */
export async function createReady(
  service: Service,
  wish: Record<string, unknown> = {},
): Promise<{ id: string } & Record<string, unknown>> {
  const made = await call(service, 'POST', { path: '/v1/desktops', body: { name: 'test', size: 'nano', ...wish } });
  if (made.status !== 201) throw new Error(`create answered ${made.status}: ${JSON.stringify(made.body)}`);
  return waitForStatus(service, made.body.id, 'running');
}

export async function waitForStatus(
  service: Service,
  id: string,
  status: string,
): Promise<{ id: string } & Record<string, unknown>> {
  let last: unknown;
  const endMs = performance.now() + statusLimitMs;
  while (performance.now() < endMs) {
    const { status: code, body } = await call(service, 'GET', `/v1/desktops/${id}?waitFor=${status}&timeoutSeconds=10`);
    last = body;
    if (code === 200 && body.status === status && (status !== 'running' || body.ready)) return body;
    if (code === 200 && body.status === 'error') throw new Error(`desktop is in error: ${JSON.stringify(body.error)}`);
    if (code !== 200 || body.status === status) await Bun.sleep(50);
  }
  throw new Error(`${id} did not become ${status}: ${JSON.stringify(last)}\n${service.log('hostd').slice(-3000)}`);
}

async function deleteEverything(service: Service): Promise<void> {
  const { body } = await call(service, 'GET', '/v1/desktops?limit=100');
  for (const desktop of body.data ?? []) await call(service, 'DELETE', `/v1/desktops/${desktop.id}`);
  await waitFor(
    async () => ((await call(service, 'GET', '/v1/desktops?limit=100')).body.data ?? []).length === 0,
    () => 'desktops were not deleted',
  );
}

export async function waitFor(condition: () => Promise<boolean>, complaint: () => string, everyMs = 50): Promise<void> {
  const endMs = performance.now() + readyLimitMs;
  while (performance.now() < endMs) {
    if (await condition()) return;
    await Bun.sleep(everyMs);
  }
  throw new Error(complaint());
}

function endProcess(child: ChildProcess | undefined, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve(child?.exitCode ?? null);
  return new Promise((resolve) => {
    const cut = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.once('exit', (code) => {
      clearTimeout(cut);
      resolve(code);
    });
    child.kill(signal);
  });
}

function plainEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name, value]) => value !== undefined && !name.startsWith('LEBUREAU_')),
  ) as Record<string, string>;
}
