import { Fault } from '@lebureau/kit/fault';
import { guestAddress, prefixOf } from './addressing.ts';
import { runInGuest } from './guestAgent.ts';
import type { GuestKeys, Site, VmPlace } from './site.ts';

export interface Seed {
  /** `10.77.1.0/16` */
  address: string;
  gateway: string;
  resolver: string;
  keys: GuestKeys;
}

/**
 * What a fresh clone needs before hostd can log in: its address and the two SSH keys. Repeatable. All
 * else comes from the init program over SSH.
 */
export function seedScript({ address, gateway, resolver, keys }: Seed): string {
  const network = [
    '[Match]',
    'Name=eth* en*',
    '[Network]',
    `Address=${address}`,
    `Gateway=${gateway}`,
    `DNS=${resolver}`,
    'DHCP=no',
    'IPv6AcceptRA=no',
    'KeepConfiguration=yes',
  ];
  return [
    'set -e; umask 077',
    'put() { mkdir -p "${1%/*}"; cat > "$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1"; }',
    here('/etc/ssh/ssh_host_ed25519_key', '600', keys.hostKey.privateKey),
    here('/etc/ssh/ssh_host_ed25519_key.pub', '644', keys.hostKey.publicKey),
    here('/etc/ssh/lebureau_authorized_keys', '644', `${keys.clientKey.publicKey} hostd`),
    here('/etc/systemd/network/10-lebureau.network', '644', network.join('\n')),
    '[ -z "$LB_NO_NETWORK" ] || exit 0',
    // networkd may not run yet, or not be there, and leaves an address alone that somebody else set: so all is set here, too.
    '[ ! -e /run/systemd/netif/state ] || networkctl reload >/dev/null 2>&1 || true',
    'for link in /sys/class/net/e*; do name=${link##*/}; break; done',
    'ip link set "$name" up',
    `ip address replace ${address} dev "$name"`,
    // The others were another network's; the firewall drops what is sent from them.
    'for other in $(ip -4 -o address show dev "$name" scope global | sed "s/.* inet \\([^ ]*\\) .*/\\1/"); do',
    `  [ "$other" = ${address} ] || ip address del "$other" dev "$name" || true`,
    'done',
    `ip route replace default via ${gateway} dev "$name"`,
    // systemd-resolved writes the file where it runs.
    'umask 022; file=/run/systemd/resolve/resolv.conf',
    `[ -e /run/systemd/resolve/stub-resolv.conf ] || { mkdir -p "\${file%/*}"; echo 'nameserver ${resolver}' > "$file"; }`,
    '',
  ].join('\n');
}

function here(path: string, mode: string, content: string): string {
  return `put ${path} ${mode} <<'LB_END'\n${content.trimEnd()}\nLB_END`;
}

/** @throws Fault `guest_unreachable` while the guest agent does not answer. */
export async function seedGuest(site: Site, place: VmPlace, owner: string): Promise<void> {
  const { guestNetwork, vmids } = site.settings;
  const script = seedScript({
    address: `${guestAddress(place.vmid, vmids, guestNetwork)}/${prefixOf(guestNetwork.cidr)}`,
    gateway: guestNetwork.gateway,
    resolver: guestNetwork.resolver,
    keys: site.keysOf(owner),
  });
  const { exitCode, err } = await runInGuest(site, place, script);
  if (exitCode !== 0) throw new Fault('guest_unreachable', `The guest did not take its keys: ${err.slice(0, 300)}`);
}
