import { describe, expect, test } from 'vitest';
import { addTemplate, seedState } from './world/seed.ts';
import { emptyFirewall, type FirewallState } from './world/state.ts';
import { firewallRules } from './net/firewallRules.ts';

function rulesOf(own: Partial<FirewallState>, change: { net0?: string; datacenter?: Partial<FirewallState> } = {}) {
  const state = seedState({ version: '9.2', nodes: ['pve1'], nowMs: 0 });
  const vm = addTemplate(state, { vmid: 100, node: 'pve1', name: 'one', nowMs: 0 });
  vm.config.net0 = change.net0 ?? 'virtio=52:54:00:0A:0B:0C,bridge=vmbr1,firewall=1';
  state.firewalls['/'] = { ...emptyFirewall(), options: { enable: 1 }, ...change.datacenter };
  state.firewalls['/vms/100'] = { ...emptyFirewall(), options: { enable: 1, policy_out: 'DROP' }, ...own };
  return firewallRules(state);
}

describe('the firewall of Proxmox VE as rules of nftables', () => {
  test('is nothing where any of its three switches is off', () => {
    const isOn = /jump out-100/;
    expect(rulesOf({})).toMatch(isOn);
    expect(rulesOf({ options: { enable: 0 } })).not.toMatch(isOn);
    expect(rulesOf({}, { net0: 'virtio=52:54:00:0A:0B:0C,bridge=vmbr1' })).not.toMatch(isOn);
    expect(rulesOf({}, { datacenter: { options: { enable: 0 } } })).not.toMatch(isOn);
  });

  test('knows policies, filters, disabled rules, ports, sets, aliases and groups', () => {
    const rule = { type: 'out', action: 'ACCEPT', enable: 1 };
    const text = rulesOf(
      {
        options: { enable: 1, policy_in: 'ACCEPT', policy_out: 'DROP', ipfilter: 1, dhcp: 1 },
        ipsets: { 'ipfilter-net0': { entries: [{ cidr: '10.77.1.1' }] }, own: { entries: [{ cidr: '10.1.0.0/16' }] } },
        rules: [
          { ...rule, proto: 'tcp', dport: '80,8000:8010', dest: '+own,192.0.2.1-192.0.2.9,office' },
          { ...rule, dest: '192.0.2.77', enable: 0 },
          { type: 'group', action: 'web', enable: 1 },
        ],
      },
      {
        datacenter: {
          options: { enable: 1 },
          aliases: { office: { cidr: '198.51.100.0/24' } },
          groups: { web: { rules: [{ type: 'in', action: 'DROP', source: '203.0.113.7', enable: 1 }] } },
        },
      },
    );
    expect(text).toContain('elements = { 10.1.0.0/16, 192.0.2.1-192.0.2.9, 198.51.100.0/24 }');
    expect(text).toMatch(
      /ip daddr @\S+ meta l4proto tcp tcp dport \{ 80,8000-8010 \} accept\n {4}meta protocol \{ ip, ip6 \} drop/,
    );
    expect(text).not.toContain('192.0.2.77');
    expect(text).toMatch(/elements = \{ 203\.0\.113\.7 \}/);
    expect(text).toContain('ether saddr != 52:54:00:0a:0b:0c drop');
    expect(text).toContain('arp saddr ip != @filter-100 drop');
    expect(text).toContain('udp sport 68 udp dport 67 accept');
  });

  test('closes a VM with a rule that it cannot translate', () => {
    const unknown = { type: 'out', action: 'ACCEPT', enable: 1 };
    for (const part of [{ macro: 'SSH' }, { dest: '+missing' }, { dest: 'missing' }]) {
      const text = rulesOf({ rules: [{ ...unknown, ...part }, unknown], options: { enable: 1 } });
      const [, out = ''] = /chain out-100 \{([^}]*\}[^}]*)\}/.exec(text) ?? [];
      expect(out).toContain('drop # a rule of it has no translation');
    }
  });
});
