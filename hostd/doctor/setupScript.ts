import { gatewayMac, prefixOf } from '../hypervisor/proxmox/addressing.ts';
import type { ProxmoxSettings } from '../hypervisor/proxmox/settings.ts';
import { grantLines, grantsFor } from './grants.ts';
import { importStorageLine } from './importStorage.ts';

const unlockPath = '/usr/local/sbin/lebureau-unlock';

/**
 * One script for root on a node: user, roles, token, pool, bridge of the guests, firewall, and the one thing that only
 * root may do. Repeatable. It prints the token, once.
 */
export function setupScript(settings: ProxmoxSettings, major: string): string {
  const tokenId = settings.token.split('=')[0]!;
  const [user = '', name = ''] = tokenId.split('!');
  const { pool, bridge, storage = 'local-lvm', importStorage } = settings;
  const grants = grantsFor(settings, { major, storages: [storage] });
  return [
    '#!/bin/sh',
    `# Le Bureau on Proxmox VE ${major}, node ${settings.node}. Run as root; it may be run again.`,
    'set -eu',
    '',
    `pveum user add ${user} --comment 'Le Bureau' 2>/dev/null || true`,
    `pvesh create /pools --poolid ${pool} 2>/dev/null || true`,
    '# Where templates are uploaded to, and nothing else: hostd may delete whatever lies there.',
    `pvesm status --storage ${importStorage} >/dev/null 2>&1 || ${importStorageLine(importStorage)}`,
    `pveum user token add ${user} ${name} --privsep 1 || echo 'The token exists; its secret was shown when it was made.'`,
    ...new Set(grants.flatMap((grant) => grantLines(grant, tokenId))),
    '',
    ...bridgeLines(settings),
    '',
    '# The firewall of the datacenter: without it nothing closes guests in. The network of this node keeps its access to',
    '# 8006 and 22; if you manage it from elsewhere, add that network first:',
    '#   pvesh create /cluster/firewall/ipset --name management',
    '#   pvesh create /cluster/firewall/ipset/management --cidr YOUR.NETWORK/24',
    "echo 'Next: pvesh set /cluster/firewall/options --enable 1'",
    '',
    ...unlockLines(settings),
    '',
    `echo 'Bridge: ${bridge}. Then: bun hostd/main.ts doctor'`,
    '',
  ].join('\n');
}

/** A bridge without ports; the node routes and translates, so guests never share a wire with anything of yours. */
function bridgeLines({ bridge, guestNetwork }: ProxmoxSettings): string[] {
  const { cidr, gateway } = guestNetwork;
  const file = '/etc/network/interfaces.d/lebureau';
  const setMac = `ip link set dev ${bridge} address ${gatewayMac(gateway)}`;
  return [
    `if ! grep -qs '^iface ${bridge} ' /etc/network/interfaces /etc/network/interfaces.d/*; then`,
    `  cat >> ${file} <<'END'`,
    `auto ${bridge}`,
    `iface ${bridge} inet static`,
    `    address ${gateway}/${prefixOf(cidr)}`,
    '    bridge-ports none',
    '    bridge-stp off',
    '    bridge-fd 0',
    '    # Else it is that of the lowest port, and changes when a VM starts or stops: guests would lose their gateway.',
    `    post-up ${setMac}`,
    '    post-up sysctl -qw net.ipv4.ip_forward=1',
    `    post-up iptables -t nat -A POSTROUTING -s ${cidr} ! -d ${cidr} -j MASQUERADE`,
    `    post-down iptables -t nat -D POSTROUTING -s ${cidr} ! -d ${cidr} -j MASQUERADE`,
    '    # Connections of firewalled guests pass two bridges; the zone keeps their tracking apart.',
    `    post-up iptables -t raw -I PREROUTING -i fwbr+ -j CT --zone 1`,
    `    post-down iptables -t raw -D PREROUTING -i fwbr+ -j CT --zone 1`,
    'END',
    `  ifreload -a`,
    `elif [ -f ${file} ] && ! grep -qF '${setMac}' ${file}; then`,
    `  sed -i '/^iface ${bridge} /,/^auto /s|^    bridge-fd 0$|&\\n    post-up ${setMac}|' ${file}`,
    `  ${setMac}`,
    `  grep -qF '${setMac}' ${file} || echo 'Add to ${bridge} in ${file}: post-up ${setMac}'`,
    'fi',
  ];
}

/** What only root may: take the lock off a clone that a power cut left behind, in our range and nowhere else. */
function unlockLines({ vmids, pool, node }: ProxmoxSettings): string[] {
  return [
    `cat > ${unlockPath} <<'END'`,
    '#!/bin/sh',
    '# Only a clone that was cut off, only in the range of Le Bureau, only on this node.',
    'set -eu',
    'id=$1',
    'case $id in "" | *[!0-9]*) exit 2 ;; esac',
    `[ "$id" -ge ${vmids.first} ] && [ "$id" -le ${vmids.last} ]`,
    `grep -qx 'lock: clone' "/etc/pve/nodes/${node}/qemu-server/$id.conf"`,
    `! pvesh get /nodes/${node}/tasks --source active --typefilter qmclone --output-format json | grep -q upid`,
    'qm unlock "$id"',
    `pvesh set /pools/${pool} --vms "$id" >/dev/null 2>&1 || true`,
    'END',
    `chmod 755 ${unlockPath}`,
    '# hostd as another user than root:',
    `#   echo 'lebureau ALL=(root) NOPASSWD: ${unlockPath}' > /etc/sudoers.d/lebureau`,
    `#   LEBUREAU_PVE_UNLOCK_COMMAND='sudo -n ${unlockPath} {vmid}'`,
  ];
}
