import { createServer } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '@lebureau/hostd/hypervisor/qemu/command';
import { builtTemplates } from '@lebureau/hostd/doctor/builtTemplates';
import { accessFor, closeTemplate } from '@lebureau/hostd/hypervisor/proxmox/firewall';
import { writeTemplateMarker } from '@lebureau/hostd/hypervisor/proxmox/marker';
import { openSite } from '@lebureau/hostd/hypervisor/proxmox/openSite';
import { systemClock } from '@lebureau/kit/clock';
import { createLog, silentLog } from '@lebureau/kit/log';
import { addImportStorage } from './addImportStorage.ts';
import { openPveDouble, type PveDouble } from './double.ts';
import { listen } from './http.ts';
import { tapName } from './net/firewallRules.ts';
import { NodeFirewall } from './net/nodeFirewall.ts';
import { bridge, nodeAddress, openNodeNetwork } from './net/nodeNetwork.ts';
import { openTap } from './net/openTap.ts';
import { openMachinesQemu } from './vm/machinesQemu.ts';
import { emptyFirewall, type Version } from './world/state.ts';

/**
 * `unshare --net -- bun test/pve/main.ts HOME VERSION PACE`: a Proxmox VE node with real guests behind a real firewall, in a
 * network namespace of its own. HOME holds `templates`; it prints one line when it listens, and ends with its guests at
 * SIGTERM. HOME then has `ca.pem`, `token`, `token-admin`, and `api.sock` (the API without TLS, for those outside).
 */
const [home = '', version = '9.2', pace = '0.02'] = process.argv.slice(2);
const templateVmid = 9001;
/** What listens on a node besides the API, so that a closed door is one that the firewall closes. */
const otherPorts = [22, 111, 3128];

await main();

async function main(): Promise<void> {
  mkdirSync(home, { recursive: true, mode: 0o711 });
  await openNodeNetwork();
  const firewall = new NodeFirewall();
  const machines = await openMachinesQemu({
    home,
    templateVmid,
    clock: systemClock,
    log: createLog('machines', 'warn'),
    openTap: async (vmid) => {
      await firewall.settled();
      const descriptor = openTap(tapName(vmid));
      await runCommand('ip', ['link', 'set', tapName(vmid), 'master', bridge, 'up']);
      return descriptor;
    },
  });
  const double = await openPveDouble({
    version: version as Version,
    machines,
    pace: Number(pace),
    hostname: '0.0.0.0',
    port: 8006,
    bridges: ['vmbr0', bridge],
    onChange: (state) => firewall.follow(state),
  });
  await prepare(double);
  await firewall.settled();
  for (const port of otherPorts) createServer((socket) => socket.end('open')).listen(port, '0.0.0.0');
  const inside = await listen(double.dispatcher, undefined, { path: join(home, 'api.sock') });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      void inside
        .close()
        .then(() => double.close())
        .finally(() => process.exit());
    });
  console.log('listening');
}

/** What an operator does: the token's file, the datacenter's firewall, and the import of the newest template. */
async function prepare({ state, url, ca, token, tokens }: PveDouble): Promise<void> {
  writeFileSync(join(home, 'ca.pem'), ca);
  writeFileSync(join(home, 'token'), token, { mode: 0o600 });
  writeFileSync(join(home, 'token-admin'), tokens.admin, { mode: 0o600 });
  addImportStorage(state);
  state.roles.DeskPool!.push('VM.Migrate');
  for (const who of ['desk@pve', 'desk@pve!t1'])
    state.acl.push({ path: '/', who, role: 'DeskAudit', propagate: false });
  state.firewalls['/'] = { ...emptyFirewall(), options: { enable: 1 } };
  const [built] = builtTemplates(home);
  if (built === undefined) throw new Error(`${home} has no template`);
  const { id: templateId, name, diskMiB, builtAtMs } = built;
  const template = state.vms[templateVmid]!;
  template.config.description = writeTemplateMarker({ templateId, name, diskMiB, builtAtMs });
  template.config.net0 = template.config.net0!.replace('vmbr0', bridge);
  const guestNetwork = { cidr: '10.77.0.0/16', gateway: '10.77.0.1', resolver: '9.9.9.9', blocked: [] };
  const vmids = { first: 100_000, last: 160_000 };
  const storage = { importStorage: 'lebureau', bridge, pool: 'desks' };
  const settings = { endpoint: { url, ca }, token, node: 'pve1', ...storage, vmids, guestNetwork };
  const keysOf = () => {
    throw new Error('nobody logs in');
  };
  const site = openSite({ settings, clock: systemClock, log: silentLog, keysOf });
  const access = accessFor(settings, 'internet', [nodeAddress]);
  await closeTemplate(site, { vmid: templateVmid, node: 'pve1' }, access);
}
