import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { Conversation } from './conversation.ts';

/** Texts without a recording are those of pve-firewall: API2/Firewall/{Rules,IPSet,Aliases,Groups,VM}.pm, Firewall.pm. */
describe.skipIf(findReference() === undefined)('what the firewall refuses (needs shared/reference)', () => {
  it('checks a rule whole, and says what is wrong with it', async () => {
    await using c = await Conversation.open('9.2');
    const rule = (given: object) => c.says(`POST ${c.vm}/firewall/rules`, { type: 'in', action: 'ACCEPT', ...given });
    expect(await rule({ action: 'LOG' })).toBe("400 action: unknown action 'LOG'");
    expect(await rule({ type: 'sideways' })).toBe(
      "400 type: value 'sideways' does not have a value in the enumeration 'in, out, forward, group'",
    );
    expect(await rule({ iface: 'eth0' })).toBe("400 iface: value does not match the regex pattern 'net\\d+'");
    expect(await rule({ macro: 'NoSuch' })).toBe("400 macro: unknown macro 'NoSuch'");
    expect(await rule({ macro: 'ssh', proto: 'udp' })).toBe(
      "400 proto: parameter 'proto' already define in macro (value = 'tcp')",
    );
    expect(await rule({ proto: 'xyz' })).toBe("400 proto: invalid format - unknown protocol 'xyz'\n");
    expect(await rule({ proto: 'gre', dport: '1' })).toBe("400 dport: protocol 'gre' does not support ports");
    expect(await rule({ proto: 'tcp', dport: '70000' })).toBe("400 dport: invalid format - invalid port '70000'\n");
    expect(await rule({ proto: 'tcp', dport: '90:80' })).toBe(
      "400 dport: invalid format - backwards range '90:80' not allowed, did you mean '80:90'?\n",
    );
    expect(await rule({ sport: '80' })).toBe("400 proto: missing property - 'sport' requires this property");
    expect(await rule({ 'icmp-type': 'echo-request' })).toBe(
      "400 proto: missing property - 'icmp-type' requires this property",
    );
    expect(await rule({ proto: 'icmp', 'icmp-type': 'no-route' })).toBe(
      "400 icmp-type: invalid icmp-type 'no-route' for proto 'icmp'",
    );
    expect(await c.data(`GET ${c.vm}/firewall/rules`)).toEqual([]);
  });

  it("checks a rule's addresses as Net::IP does", async () => {
    await using c = await Conversation.open('8.4');
    const from = (source: string, more = {}) =>
      c.says(`POST ${c.vm}/firewall/rules`, { type: 'in', action: 'ACCEPT', source, ...more });
    const invalid = '400 source: invalid format - invalid IP address:';
    expect(await from('10.0.0.0/4')).toBe(`${invalid} Invalid prefix 00001010000000000000000000000000/4\n`);
    expect(await from('0.0.0.0/1')).toBe('200');
    expect(await from('10.0.0.0/33')).toBe(`${invalid} Prefix length 33 is longer than IP address (32)\n`);
    expect(await from('10.0.0.300')).toBe(`${invalid} Invalid quad in IP address 10.0.0.300 - 300\n`);
    expect(await from('not an address')).toBe(`${invalid} Invalid chars in IP not an address\n`);
    expect(await from('10.0.0.9-10.0.0.1')).toBe(
      `${invalid} Begin address is greater than End address 10.0.0.9 - 10.0.0.1\n`,
    );
    expect(await from('10.0.0.1,fd00::1')).toBe(
      "400 source: invalid format - detected mixed ipv4/ipv6 addresses in address list '10.0.0.1,fd00::1'\n",
    );
    expect(await from('10.0.0.1', { dest: 'fd00::1' })).toBe('400 dest: detected mixed ipv4/ipv6 addresses in rule');
    expect(await from('nosuch')).toBe("400 source: no such alias 'nosuch'");
    expect(await from('+nosuch')).toBe("400 source: no such ipset 'nosuch'");
  });

  it('puts a new rule first, moves and changes rules, and keeps them when a digest is old', async () => {
    await using c = await Conversation.open('9.2');
    const rules = `${c.vm}/firewall/rules`;
    for (const comment of ['a', 'b', 'c']) {
      await c.says(`POST ${rules}`, { type: 'in', action: 'DROP', comment, pos: 2 });
    }
    const order = async () =>
      ((await c.data(`GET ${rules}`)) as { comment: string }[]).map((one) => one.comment).join('');
    expect(await order()).toBe('cba');
    expect(await c.says(`PUT ${rules}/0`, { moveto: 2 })).toBe('200');
    expect(await order()).toBe('bca');
    expect(await c.says(`PUT ${rules}/0`, { moveto: 9 })).toBe('200');
    expect(await order()).toBe('cab');
    expect(await c.says(`PUT ${rules}/1`, { delete: 'action' })).toBe(
      "400 delete: unable to delete required property 'action'",
    );
    expect(await c.says(`PUT ${rules}/1`, { delete: 'nosuch' })).toBe("400 delete: no such property ('nosuch')");
    expect(await c.says(`DELETE ${rules}/1`, { digest: '0'.repeat(40) })).toBe(
      '500 detected modified configuration - file changed by other user? Try again.',
    );
    expect(await c.says(`PUT ${rules}/7`, { enable: 1 })).toBe('500 no rule at position 7');
    expect(await c.says(`GET ${rules}/x`)).toBe("400 pos: type check ('integer') failed - got 'x'");
    expect(await order()).toBe('cab');
  });

  it('keeps sets of addresses, clean and once each', async () => {
    await using c = await Conversation.open('9.2');
    const sets = `${c.vm}/firewall/ipset`;
    expect(await c.says(`POST ${sets}`, { name: 'ipfilter-net0' })).toBe('200');
    expect(await c.says(`POST ${sets}`, { name: 'ipfilter-net0' })).toBe(
      "400 name: IPSet 'ipfilter-net0' already exists",
    );
    expect(await c.says(`POST ${sets}`, { name: 'new', rename: 'nosuch' })).toBe(
      "400 name: IPSet 'nosuch' does not exists",
    );
    const add = (cidr: string) => c.says(`POST ${sets}/ipfilter-net0`, { cidr });
    expect(await add('10.10.10.50')).toBe('200');
    expect(await add('10.10.10.50')).toBe("400 cidr: address '10.10.10.50' already exists");
    expect(await add('10.10.11.7/24')).toBe('200');
    expect(await add('10.10.11.0/24')).toBe("400 cidr: address '10.10.11.0/24' already exists");
    expect(await add('0.0.0.0/0')).toBe('400 cidr: a zero prefix is not allowed in ipset entries');
    expect(await add('10.0.0.0/33')).toBe(
      '400 cidr: invalid format - Prefix length 33 is longer than IP address (32)\n',
    );
    expect(await add('nosuch')).toBe("500 no such alias 'nosuch'");
    expect(await c.says(`GET ${sets}/ipfilter-net0/10.10.10.51`)).toBe('400 cidr: no such IP/Network');
    expect(await c.says(`PUT ${sets}/ipfilter-net0/10.10.11.0%2F24`, { comment: 'x' })).toBe('200');
    expect(await c.data(`GET ${sets}/ipfilter-net0/10.10.11.0/24`)).toMatchObject({ comment: 'x' });
    expect(await c.says(`DELETE ${sets}/ipfilter-net0`)).toBe("500 IPSet 'ipfilter-net0' is not empty");
    expect(await c.says(`DELETE ${sets}/ipfilter-net0`, { force: 1 })).toBe('200');
  });

  it('knows aliases by small letters, and groups by their names', async () => {
    await using c = await Conversation.open('8.4');
    const aliases = `${c.vm}/firewall/aliases`;
    expect(await c.says(`POST ${aliases}`, { name: 'Relay', cidr: '10.0.0.2/32' })).toBe('200');
    expect(await c.says(`POST ${aliases}`, { name: 'relay', cidr: '10.0.0.3' })).toBe(
      "400 name: alias 'relay' already exists",
    );
    expect(await c.data(`GET ${aliases}/RELAY`)).toEqual({ name: 'Relay', cidr: '10.0.0.2', ipversion: 4 });
    expect(await c.says(`POST ${aliases}`, { name: 'other', cidr: '10.0.0.4' })).toBe('200');
    expect(await c.says(`PUT ${aliases}/relay`, { cidr: '10.0.0.5', rename: 'Other' })).toBe(
      "400 name: alias 'Other' already exists",
    );
    expect(await c.says(`PUT ${aliases}/nope`, { cidr: '10.0.0.5' })).toBe('400 name: no such alias');
    expect(await c.says(`PUT ${c.vm}/firewall/options`, { delete: 'nosuch' })).toBe(
      "400 delete: no such option 'nosuch'",
    );
    const groups = '/cluster/firewall/groups';
    expect(await c.says(`POST ${groups}`, { group: 'g' }, 'admin')).toBe(
      '400 group: value does not match the regex pattern',
    );
    expect(await c.says(`POST ${groups}`, { group: 'desks' }, 'admin')).toBe('200');
    expect(await c.says(`POST ${groups}`, { group: 'desks' }, 'admin')).toBe(
      "400 group: Security group 'desks' already exists",
    );
    expect(await c.says(`POST ${groups}/desks`, { type: 'group', action: 'desks' }, 'admin')).toBe(
      '400 type: security groups not allowed',
    );
    expect(await c.says(`POST ${groups}/desks`, { type: 'in', action: 'DROP' }, 'admin')).toBe('200');
    expect(await c.says(`DELETE ${groups}/desks`, {}, 'admin')).toBe("500 Security group 'desks' is not empty");
    expect(await c.says(`GET ${groups}/nope`, {}, 'admin')).toBe("500 no such security group 'nope'");
  });
});
