import { gatewayMac, guestAddress } from '../hypervisor/proxmox/addressing.ts';
import { runInGuest } from '../hypervisor/proxmox/guestAgent.ts';
import type { ListedVm } from '../hypervisor/proxmox/lists.ts';
import { vmApi, type Site } from '../hypervisor/proxmox/site.ts';
import { bad, good, note, type Finding } from './finding.ts';

/** Each VM of ours has its firewall on, and its network card goes through it. */
export async function checkClosedIn(site: Site): Promise<Finding[]> {
  const vms = (await site.lists.ofNode()).filter((vm) => !vm.isTemplate);
  const open: string[] = [];
  for (const vm of vms) {
    const { config, marker } = await site.records.recent(vm);
    if (marker?.complete !== true || marker.boot === 0) continue;
    const options = (await vmApi(site, vm).firewall.options.$get()) as Record<string, unknown>;
    const isClosed =
      Number(options.enable) === 1 && options.policy_in === 'DROP' && String(config.net0).includes('firewall=1');
    if (!isClosed) open.push(String(vm.vmid));
  }
  if (open.length === 0) return [good(`each of ${vms.length} virtual machines is closed in`)];
  return open.map((vmid) =>
    bad(`virtual machine ${vmid} is not closed in`, [
      `pvesh set /nodes/${site.settings.node}/qemu/${vmid}/firewall/options --enable 1 --policy_in DROP --policy_out DROP`,
    ]),
  );
}

interface Door {
  what: string;
  host: string;
  port: number;
  mayOpen: boolean;
}

/** Tries every door from inside one running guest. Says nothing about a node on which none runs. */
export async function proveIsolation(site: Site): Promise<Finding[]> {
  const vms = (await site.lists.ofNode()).filter((vm) => !vm.isTemplate && vm.qmpStatus === 'running');
  const [from, other] = vms;
  if (from === undefined) return [note('no desktop runs, so isolation was not tried from inside one')];
  const doors = await doorsOf(site, other);
  const { gateway } = site.settings.guestNetwork;
  const { out } = await runInGuest(site, from, probeScript(doors, gateway));
  const opened = new Set(
    out
      .split('\n')
      .filter((line) => line.startsWith('open '))
      .map((line) => line.slice(5)),
  );
  if (!out.includes('tried')) return [bad(`VM ${from.vmid} could not try its network: ${out.slice(0, 200)}`)];
  return [...gatewayOf(out, gateway), ...doors.flatMap((door) => findingOf(door, { opened, from }))];
}

/** What the guest takes for its gateway's hardware address. Who has a bridge and a router of their own knows better. */
function gatewayOf(out: string, gateway: string): Finding[] {
  const seen = /^gateway ([0-9a-f:]{17})$/m.exec(out)?.[1];
  if (seen === undefined) return [];
  if (seen === gatewayMac(gateway)) return [good('the bridge of the guests keeps its hardware address')];
  const what = `the gateway of the guests has the hardware address ${seen}; on a bridge of ours that is not kept`;
  return [note(what, ['bun hostd/main.ts doctor --print-setup'])];
}

function findingOf(door: Door, { opened, from }: { opened: ReadonlySet<string>; from: ListedVm }): Finding[] {
  const isOpen = opened.has(`${door.host} ${door.port}`);
  if (isOpen === door.mayOpen)
    return [good(`from inside VM ${from.vmid}: ${door.what} is ${isOpen ? 'open' : 'closed'}`)];
  if (!isOpen) return [note(`from inside VM ${from.vmid}: ${door.what} cannot be reached`)];
  return [bad(`from inside VM ${from.vmid}: ${door.what} is open`, ['bun hostd/main.ts doctor --print-setup'])];
}

async function doorsOf(site: Site, other: ListedVm | undefined): Promise<Door[]> {
  const { guestNetwork, vmids } = site.settings;
  const rows = (await site.client.api.cluster.status.$get()) as { type?: string; ip?: string }[];
  const nodes = rows.flatMap(({ type, ip }) => (type === 'node' && ip !== undefined ? [ip] : []));
  const hosts = [...new Set([guestNetwork.gateway, ...nodes])];
  const closed = [22, 111, 3128, 8006].flatMap((port) =>
    hosts.map((host) => ({ what: `${host}:${port}`, host, port })),
  );
  const neighbour = other && guestAddress(other.vmid, vmids, guestNetwork);
  if (neighbour !== undefined) closed.push({ what: `another desktop (${neighbour}:22)`, host: neighbour, port: 22 });
  closed.push({ what: 'the metadata address', host: '169.254.169.254', port: 80 });
  return [
    ...closed.map((door) => ({ ...door, mayOpen: false })),
    { what: `the resolver (${guestNetwork.resolver}:53)`, host: guestNetwork.resolver, port: 53, mayOpen: true },
  ];
}

/** `bash` opens TCP by itself, so the guest needs no program for it. All at once, three seconds each. */
function probeScript(doors: readonly Door[], gateway: string): string {
  const tries = doors.map(({ host, port }) => `try ${host} ${port} &`);
  return [
    `try() { timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null && echo "open $1 $2"; }`,
    ...tries,
    'wait',
    `ip neigh show ${gateway} | sed -n 's/.* lladdr \\([0-9a-f:]*\\).*/gateway \\1/p'`,
    'echo tried',
    '',
  ].join('\n');
}
