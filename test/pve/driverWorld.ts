import { deriveIdentity } from '@lebureau/hostd/identity';
import { openProxmoxDriver, type ProxmoxDriver } from '@lebureau/hostd/hypervisor/proxmox/driver';
import { writeTemplateMarker } from '@lebureau/hostd/hypervisor/proxmox/marker';
import type { ProxmoxSettings } from '@lebureau/hostd/hypervisor/proxmox/settings';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { addImportStorage } from './addImportStorage.ts';
import { emptyFirewall, type Version, type VmState } from './world/state.ts';
import { openPveDouble, type DoubleOptions, type PveDouble } from './double.ts';

export const templateId = 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4';
export const vmRef = 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4';
export const owner = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
export const mac = '52:54:00:0a:0b:0c';
export const spec = { vmRef, owner, templateId, vcpus: 2, memoryMiB: 2048, diskGiB: 16, network: 'internet' } as const;

const secret = Buffer.alloc(32, 7);
/** Pauses between polls are short, limits are what they are. */
const quickly = (clock: Clock): Clock => ({
  ...clock,
  sleep: (ms, signal) => clock.sleep(ms < 3_000 ? ms / 40 : ms, signal),
});

export function keysOf(assignmentId: string, ofNode = secret) {
  const { sshHostKey, sshClientKey } = deriveIdentity(ofNode, assignmentId);
  return { hostKey: sshHostKey, clientKey: sshClientKey };
}

/** A double with our template and what an operator sets up, and a driver of its first node. */
export interface DriverWorld {
  double: PveDouble;
  settings: ProxmoxSettings;
  driver: ProxmoxDriver;
  /** Another process of hostd: it remembers nothing. */
  again(change?: Partial<ProxmoxSettings>, clock?: Clock, secret?: Buffer): ProxmoxDriver;
  /** The VMs in our range. */
  vms(): VmState[];
  /** `METHOD template` of every call since the last time it was asked. */
  calls(): string[];
  close(): Promise<void>;
}

export async function openDriverWorld(options: Partial<DoubleOptions> & { version: Version }): Promise<DriverWorld> {
  const double = await openPveDouble({ plain: true, pace: 0.002, ...options });
  const description = writeTemplateMarker({ templateId, name: 'desktop', diskMiB: 1024, builtAtMs: 1 });
  for (const vm of Object.values(double.state.vms)) if (vm.config.template === '1') vm.config.description = description;
  double.state.roles.DeskPool!.push('VM.Migrate');
  addImportStorage(double.state);
  double.state.firewalls['/'] ??= emptyFirewall();
  double.state.firewalls['/'].options.enable = 1;
  double.state.acl.push({ path: '/', who: 'desk@pve', role: 'DeskAudit', propagate: false });
  double.state.acl.push({ path: '/', who: 'desk@pve!t1', role: 'DeskAudit', propagate: false });
  const settings: ProxmoxSettings = {
    endpoint: { url: double.url, ...(options.plain === false ? { ca: double.ca } : {}) },
    token: double.token,
    node: double.node,
    importStorage: 'lebureau',
    bridge: 'vmbr0',
    pool: 'desks',
    vmids: { first: 100_000, last: 160_000 },
    guestNetwork: { cidr: '10.77.0.0/16', gateway: '10.77.0.1', resolver: '9.9.9.9', blocked: ['203.0.113.0/24'] },
  };
  const quickClock = quickly(options.clock ?? systemClock);
  const again = (change: Partial<ProxmoxSettings> = {}, clock = quickClock, ofNode = secret) => {
    const keys = (assignmentId: string) => keysOf(assignmentId, ofNode);
    return openProxmoxDriver({ settings: { ...settings, ...change }, clock, log: silentLog, keysOf: keys });
  };
  const seen: string[] = [];
  const handle = double.dispatcher.handle.bind(double.dispatcher);
  double.dispatcher.handle = (request) => {
    seen.push(double.dispatcher.nameOf(request));
    return handle(request);
  };
  return {
    double,
    settings,
    driver: again(),
    again,
    vms: () => Object.values(double.state.vms).filter((vm) => vm.vmid >= settings.vmids.first),
    calls: () => seen.splice(0),
    close: () => double.close(),
  };
}
