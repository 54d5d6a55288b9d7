import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { findReference } from './api/reference.ts';
import type { Answer, Asking } from './client.ts';

export interface PveNodeOptions {
  /** A folder of its own, which users without rights can reach. */
  home: string;
  /** Holds `templates` with a built one. */
  templateHome: string;
  version?: '8.4' | '9.2';
  /** 1: as slow as the real daemons. */
  pace?: number;
  /** Every guest boots, as on Proxmox VE; else those of a size that was warmed wake up from the template's memory. */
  isCold?: boolean;
}

export interface PveNode {
  /** What stands in front of a program that is to run on the node. */
  enter: readonly string[];
  /** hostd's, beside that of any node. */
  environment: Record<string, string>;
  /** `PUT /nodes/pve1/…`, as an administrator. */
  ask(line: string, asking?: Asking): Promise<Answer>;
  log(): string;
  pid: number;
  /** Ends its guests and the node. */
  stop(): Promise<void>;
}

/** Why none can run here, or undefined. */
export function pveNodeLacks(): string | undefined {
  if (process.geteuid?.() !== 0) return 'needs root';
  return findReference() === undefined ? 'needs shared/reference' : undefined;
}

const startMaxMs = 60_000;
const stopMaxMs = 60_000;

/** A Proxmox VE node with real guests, as a process in a network namespace of its own. */
export async function startPveNode(options: PveNodeOptions): Promise<PveNode> {
  const { home, templateHome, version = '9.2', pace = 0.02 } = options;
  mkdirSync(home, { mode: 0o711 });
  linkTemplates(join(templateHome, 'templates'), join(home, 'templates'), options.isCold === true);
  if (existsSync(join(templateHome, 'kvm.json'))) copyFileSync(join(templateHome, 'kvm.json'), join(home, 'kvm.json'));
  const log = openSync(join(home, 'node.log'), 'a', 0o600);
  const program = [process.execPath, join(import.meta.dirname, 'main.ts'), home, version, String(pace)];
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'unshare', '--net', '--', ...program], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const said = () => readFileSync(join(home, 'node.log'), 'utf8');
  const node: PveNode = {
    enter: ['nsenter', `--net=/proc/${child.pid}/ns/net`, '--'],
    environment: {
      LEBUREAU_DRIVER: 'proxmox',
      LEBUREAU_PVE_URL: 'https://localhost:8006',
      LEBUREAU_PVE_CA: join(home, 'ca.pem'),
      LEBUREAU_PVE_TOKEN_FILE: join(home, 'token'),
      LEBUREAU_PVE_NODE: 'pve1',
      LEBUREAU_PVE_POOL: 'desks',
    },
    async ask(line, { form, token = readFileSync(join(home, 'token-admin'), 'utf8') } = {}) {
      const [method = 'GET', path = ''] = line.split(' ');
      const response = await fetch(`http://localhost/api2/json${path}`, {
        method,
        unix: join(home, 'api.sock'),
        headers: { authorization: `PVEAPIToken=${token}` },
        body: form && new URLSearchParams(form),
      });
      const text = await response.text();
      const body = text === '' ? {} : (JSON.parse(text) as Pick<Answer, 'data' | 'message'>);
      return { status: response.status, reason: response.statusText, ...body };
    },
    log: said,
    pid: child.pid!,
    stop: () => ended(child),
  };
  try {
    for (let waitedMs = 0; !said().includes('listening'); waitedMs += 50) {
      if (child.exitCode !== null || waitedMs > startMaxMs) throw new Error(`the node did not start: ${said()}`);
      await Bun.sleep(50);
    }
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

function linkTemplates(from: string, to: string, isCold: boolean): void {
  if (!isCold) return symlinkSync(from, to);
  for (const id of readdirSync(from).filter((name) => name.startsWith('tpl_'))) {
    mkdirSync(join(to, id), { recursive: true });
    const files = readdirSync(join(from, id)).filter((name) => name !== 'warm');
    for (const name of files) symlinkSync(join(from, id, name), join(to, id, name));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => child.kill('SIGKILL'), stopMaxMs);
    child.once('exit', () => {
      clearTimeout(cut);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
