import { type PveNodeOptions, pveNodeLacks, startPveNode } from '../pve/startPveNode.ts';

/** One of the hypervisors that a test of the whole system runs on, and what may differ there. */
export interface Hypervisor {
  name: string;
  /** Why it cannot be tested here. */
  skip?: string;
  /** How a desktop starts for the first time: Proxmox VE has no memory of a template to wake up with. */
  startMode: 'warm' | 'cold';
  /** What a desktop is whose machine died: Proxmox VE's API does not tell it from one whose guest switched it off. */
  whenKilled: { status: 'error' | 'stopped'; code?: string };
  /** Whether its machines are processes of this host, to be counted and killed. */
  hasProcesses: boolean;
  open(ask: { home: string; templateHome: string }): Promise<Site>;
}

/** Where hostd runs for one test. */
export interface Site {
  /** What stands in front of hostd. */
  enter: readonly string[];
  environment: Record<string, string>;
  log(): string;
  close(): Promise<void>;
}

const nowhere = { enter: [], log: () => '', close: () => Promise.resolve() };

export const qemu: Hypervisor = {
  name: 'QEMU',
  startMode: 'warm',
  whenKilled: { status: 'error', code: 'guest_crashed' },
  hasProcesses: true,
  open: () => Promise.resolve({ ...nowhere, environment: {} }),
};

/** The double with real guests behind it. */
export function proxmoxDouble(node: Pick<PveNodeOptions, 'pace' | 'isCold'> = {}): Hypervisor {
  return {
    name: 'Proxmox VE (double)',
    skip: pveNodeLacks(),
    startMode: 'cold',
    whenKilled: { status: 'stopped' },
    hasProcesses: true,
    async open({ home, templateHome }) {
      const started = await startPveNode({ home: `${home}/pve`, templateHome, ...node });
      return { ...started, close: () => started.stop() };
    },
  };
}

const realPrefix = 'LEBUREAU_TEST_PVE_';
const real = Object.entries(process.env).filter(([name]) => name.startsWith(realPrefix));

/** A real node: LEBUREAU_TEST_PVE_URL and, likewise, the other LEBUREAU_PVE_… */
const proxmoxReal: Hypervisor = {
  name: 'Proxmox VE',
  startMode: 'cold',
  whenKilled: { status: 'stopped' },
  hasProcesses: false,
  open() {
    const given = real.map(([name, value]) => [name.replace('TEST_PVE', 'PVE'), value] as const);
    return Promise.resolve({
      ...nowhere,
      environment: { LEBUREAU_DRIVER: 'proxmox', ...Object.fromEntries(given) } as Record<string, string>,
    });
  },
};

/** Those that whole-system tests run on. */
export const hypervisors: readonly Hypervisor[] = real.length > 0 ? [proxmoxReal] : [qemu, proxmoxDouble()];
