import { notInternet } from '../notInternet.ts';
import { guestAddress } from './addressing.ts';
import { says } from './faults.ts';
import type { ProxmoxSettings } from './settings.ts';
import { vmApi, type Site, type VmPlace } from './site.ts';

/** One rule, in the words of the API. Rules are tried in order; what fits none is dropped by policy. */
export interface FirewallRule {
  type: 'in' | 'out';
  action: 'ACCEPT' | 'DROP';
  proto?: string;
  source?: string;
  dest?: string;
  dport?: string;
}

/** Only the VM's own MAC and address may send; no DHCP or router of its own; both ways closed unless a rule opens them. */
const firewallOptions = {
  enable: 1,
  policy_in: 'DROP',
  policy_out: 'DROP',
  macfilter: 1,
  ipfilter: 1,
  dhcp: 0,
  ndp: 0,
  radv: 0,
} as const;

/** All hosts of IPv4, without multicast and reserved ones: a rule without an address would open IPv6, too. */
const everyAddress = '1.0.0.0-223.255.255.255';
/** Those that lie in it. */
const closedNetworks = notInternet.filter((network) => {
  const first = Number.parseInt(network, 10);
  return first >= 1 && first <= 223;
});
const filterSet = 'ipfilter-net0';
const addressesPerRule = 20;

export interface GuestAccess {
  network: 'internet' | 'none';
  hostdSource: string;
  resolver: string;
  /** Addresses of the nodes, and what the operator closed. */
  blocked: readonly string[];
}

/** Pure. hostd reaches every guest; a guest reaches nothing, or the internet without what is private or ours. */
export function rulesFor(access: GuestAccess): FirewallRule[] {
  const rules: FirewallRule[] = [{ type: 'in', action: 'ACCEPT', proto: 'tcp', source: access.hostdSource }];
  if (access.network === 'none') return rules;
  for (const proto of ['udp', 'tcp'])
    rules.push({ type: 'out', action: 'ACCEPT', proto, dest: access.resolver, dport: '53' });
  rules.push({ type: 'out', action: 'DROP', dest: closedNetworks.join(',') });
  for (let at = 0; at < access.blocked.length; at += addressesPerRule)
    rules.push({ type: 'out', action: 'DROP', dest: access.blocked.slice(at, at + addressesPerRule).join(',') });
  rules.push({ type: 'out', action: 'ACCEPT', dest: everyAddress });
  return rules;
}

export function accessFor(
  { guestNetwork }: ProxmoxSettings,
  network: GuestAccess['network'],
  blocked: readonly string[],
): GuestAccess {
  const { hostdSource = guestNetwork.gateway, resolver } = guestNetwork;
  return { network, hostdSource, resolver, blocked };
}

/** What a template has of it: all but the address, so that its clones take it over. Repeatable. */
export async function closeTemplate(site: Site, place: VmPlace, access: GuestAccess): Promise<void> {
  await setOptions(site, place);
  await setRules(site, place, rulesFor(access));
}

/** Closes the VM in. Repeatable; a clone of a template that has the same rules costs no write but its own address. */
export async function closeIn(site: Site, place: VmPlace, access: GuestAccess): Promise<void> {
  // First, because both policies are DROP: whatever of the rest is missing closes more, not less.
  await setOptions(site, place);
  await allowAddress(site, place);
  await setRules(site, place, rulesFor(access));
}

async function setOptions(site: Site, place: VmPlace): Promise<void> {
  const { options } = vmApi(site, place).firewall;
  const now = (await options.$get()) as Readonly<Record<string, unknown>>;
  const isSet = Object.entries(firewallOptions).every(([name, value]) => String(now[name]) === String(value));
  if (!isSet) await options.$put(firewallOptions as unknown as Parameters<typeof options.$put>[0]);
}

async function allowAddress(site: Site, place: VmPlace): Promise<void> {
  const { vmids, guestNetwork } = site.settings;
  const address = guestAddress(place.vmid, vmids, guestNetwork);
  const { ipset } = vmApi(site, place).firewall;
  const set = ipset.$(filterSet);
  const entries = await set.$get().catch((error: unknown) => {
    if (says(error, /no such IPSet/i)) return undefined;
    throw error;
  });
  if (entries === undefined) await ipset.$post({ name: filterSet });
  if (entries?.some((entry) => entry.cidr === address)) return;
  for (const entry of entries ?? []) await set.$(entry.cidr).$delete();
  await set.$post({ cidr: address });
}

async function setRules(site: Site, place: VmPlace, wanted: readonly FirewallRule[]): Promise<void> {
  const { rules } = vmApi(site, place).firewall;
  const there = (await rules.$get()) as unknown as (FirewallRule & { pos: number; enable?: number })[];
  const inOrder = there.toSorted((a, b) => a.pos - b.pos);
  const same =
    inOrder.length === wanted.length &&
    inOrder.every((rule, at) => Number(rule.enable) === 1 && keyOf(rule) === keyOf(wanted[at]!));
  if (same) return;
  for (const rule of inOrder.toReversed()) await rules.$(String(rule.pos)).$delete();
  // A new rule goes in front.
  for (const rule of wanted.toReversed()) await rules.$post({ ...rule, enable: 1 });
}

function keyOf(rule: FirewallRule): string {
  return JSON.stringify([rule.type, rule.action, rule.proto, rule.source, rule.dest, rule.dport]);
}
