import { writeFileSync } from 'node:fs';
import { gatewayMac } from '@lebureau/hostd/hypervisor/proxmox/addressing';
import { runCommand } from '@lebureau/hostd/hypervisor/qemu/command';
import { openOutside } from './outside.ts';

/** The guests' bridge, as `doctor --print-setup` makes it. */
export const bridge = 'vmbr1';
/** The node on the network it is managed by. */
export const nodeAddress = '10.10.10.1';
const gateway = '10.77.0.1';
const guests = '10.77.0.0/16';

/**
 * Makes our own network namespace that of a Proxmox VE node: the guests' bridge, routing and address translation as the
 * setup script has them, and a network outside with a management host, a resolver and a web server. Nothing has a name
 * outside of this process and its children: the kernel removes all of it with the last of them.
 * @throws Error in a namespace whose network is up: it is somebody else's.
 */
export async function openNodeNetwork(): Promise<void> {
  // A new namespace has nothing that is up, not even loopback.
  const up = await runCommand('ip', ['-o', 'link', 'show', 'up']);
  if (up.trim() !== '') throw new Error('wants a network namespace of its own: unshare --net');
  const outside = await openOutside();
  const commands = [
    'link set lo up',
    `link add ${bridge} type bridge`,
    `link set dev ${bridge} address ${gatewayMac(gateway)}`,
    `addr add ${gateway}/16 dev ${bridge}`,
    `link set ${bridge} up`,
    `link add uplink type veth peer name inside netns ${outside.pid}`,
    `addr add ${nodeAddress}/24 dev uplink`,
    'link set uplink up',
    `route add default via ${outside.gateway}`,
    `route add 169.254.169.254/32 via ${outside.gateway}`,
  ];
  await runCommand('ip', ['-batch', '-'], { stdin: `${commands.join('\n')}\n` });
  // Built in, or a module that is there already, where the program does not find one.
  await runCommand('modprobe', ['br_netfilter']).catch(() => '');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', '1');
  const translation = [
    'table ip pvenat {',
    '  chain leaving {',
    '    type nat hook postrouting priority 100; policy accept;',
    `    ip saddr ${guests} ip daddr != ${guests} masquerade`,
    '  }',
    '}',
  ];
  await runCommand('nft', ['-f', '-'], { stdin: `${translation.join('\n')}\n` });
  await outside.start();
}
