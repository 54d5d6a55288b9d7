import { notInternet } from '../notInternet.ts';
import { blockNetwork, linkPrefix, type Addressing } from './addressing.ts';

export interface RuleOptions {
  block: number;
  /** The one private address a guest may ask, for names only. */
  resolver?: string;
}

/** Rules of the host for all guests of a block, replaced in one transaction. */
export function hostRules(options: RuleOptions): string {
  const table = tableName(options.block);
  const ours = `"${linkPrefix(options.block)}*"`;
  const dns = (chain: string) =>
    resolverRules(options.resolver).map((rule) => `add rule inet ${table} ${chain} ${rule}`);
  return [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `add table inet ${table}`,
    `add chain inet ${table} input { type filter hook input priority -10; policy accept; }`,
    `add chain inet ${table} forward { type filter hook forward priority -10; policy accept; }`,
    `add chain inet ${table} fromGuest`,
    `add chain inet ${table} leave { type nat hook postrouting priority 100; policy accept; }`,
    `add rule inet ${table} input iifname != ${ours} return`,
    // Answers to connections that hostd opened; a guest can open none to any address of the host but its resolver.
    `add rule inet ${table} input ct state established,related accept`,
    ...dns('input'),
    `add rule inet ${table} input drop`,
    `add rule inet ${table} forward iifname ${ours} jump fromGuest`,
    `add rule inet ${table} forward oifname ${ours} ct state established,related accept`,
    `add rule inet ${table} forward oifname ${ours} drop`,
    ...dns('fromGuest'),
    `add rule inet ${table} fromGuest meta nfproto != ipv4 drop`,
    `add rule inet ${table} fromGuest ip saddr != ${blockNetwork(options.block)} drop`,
    `add rule inet ${table} fromGuest ip daddr { ${notInternet.join(', ')} } drop`,
    `add rule inet ${table} leave ip saddr ${blockNetwork(options.block)} oifname != ${ours} masquerade`,
    '',
  ].join('\n');
}

/**
 * Rules inside a guest's own namespace: the same refusals again, where a reload of the host's firewall does not reach.
 * They are there before the namespace has an address.
 */
export function namespaceRules(address: Addressing, resolver: string | undefined): string {
  return [
    'add table inet guest',
    'add chain inet guest output { type filter hook output priority 0; policy drop; }',
    'add chain inet guest input { type filter hook input priority 0; policy drop; }',
    'add rule inet guest input ct state established,related accept',
    `add rule inet guest input ip saddr ${address.hostAddress} ip daddr ${address.guestAddress} tcp dport 1-65535 accept`,
    'add rule inet guest output meta nfproto != ipv4 drop',
    `add rule inet guest output ip daddr ${address.hostAddress} ct state established,related accept`,
    ...resolverRules(resolver).map((rule) => `add rule inet guest output ${rule}`),
    `add rule inet guest output ip daddr { ${notInternet.join(', ')} } drop`,
    'add rule inet guest output accept',
    '',
  ].join('\n');
}

export function tableName(block: number): string {
  return `lebureau${block}`;
}

function resolverRules(resolver: string | undefined): string[] {
  if (resolver === undefined) return [];
  return [`ip daddr ${resolver} udp dport 53 accept`, `ip daddr ${resolver} tcp dport 53 accept`];
}
