import { expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { linkAlias, readLinkAlias } from './abandoned.ts';
import { addressing, slotOfLink } from './addressing.ts';
import { hostPortOf } from './channels.ts';
import { confine } from './launch.ts';
import { GuestNetwork } from './network.ts';
import { chooseResolver } from './resolver.ts';
import { notInternet } from '../notInternet.ts';
import { hostRules, namespaceRules } from './rules.ts';

test('the resolver is one that a namespace can reach', () => {
  const stub = 'nameserver 127.0.0.53\noptions edns0\n';
  expect(chooseResolver({ hostFile: 'nameserver 192.0.2.1\nnameserver 192.0.2.2\n' })).toEqual({
    address: '192.0.2.1',
    ownFile: false,
  });
  expect(chooseResolver({ hostFile: stub, upstreamFile: 'nameserver 192.0.2.7\n' })).toEqual({
    address: '192.0.2.7',
    ownFile: true,
  });
  expect(chooseResolver({ hostFile: stub })).toEqual({ address: undefined, ownFile: false });
  expect(chooseResolver({ hostFile: 'nameserver ::1\nnameserver 192.0.2.9' })).toEqual({
    address: '192.0.2.9',
    ownFile: true,
  });
  expect(chooseResolver({ hostFile: 'nameserver 192.0.2.1', wanted: '192.0.2.5' })).toEqual({
    address: '192.0.2.5',
    ownFile: true,
  });
});

test('both sets of rules refuse everything private before they accept anything', () => {
  const address = addressing(5, 7, 400_000);
  const inside = namespaceRules(address, '10.9.9.9').split('\n');
  const lines = hostRules({ block: 5, resolver: '10.9.9.9' }).split('\n');
  for (const rules of [inside, lines]) {
    const refusal = rules.find((rule) => rule.includes('ip daddr {') && rule.endsWith('drop')) ?? '';
    for (const network of notInternet) expect(refusal).toContain(network);
  }
  expect(inside.indexOf('add rule inet guest output accept')).toBe(inside.length - 2);
  expect(inside.filter((rule) => rule.includes('policy drop'))).toHaveLength(2);
  expect(lines.slice(0, 3)).toEqual([
    'add table inet lebureau5',
    'delete table inet lebureau5',
    'add table inet lebureau5',
  ]);
});

test('without a resolver no private address is open', () => {
  const rules = hostRules({ block: 5 }) + namespaceRules(addressing(5, 7, 400_000), undefined);
  expect(rules).not.toContain('dport 53');
});

test('the slot of a process that runs is given to no new VM, whether or not a VM is known to hold it', () => {
  const network = new GuestNetwork({
    home: '/srv/home',
    block: 0,
    // This process runs as the user of slot 1.
    uidBase: (process.geteuid?.() ?? 0) - 1,
    poolSize: 0,
    clock: systemClock,
    log: silentLog,
  });
  expect([network.take(), network.take()]).toEqual([0, 2]);
});

test('an unprivileged QEMU enters its namespace first and then loses every right', () => {
  const chain = confine({ uid: 400_001, groups: [], namespace: '/run/netns/lb5-1', resolvFile: '/srv/resolv.conf' });
  expect(chain.filter((word) => ['nsenter', 'unshare', 'setpriv'].includes(word))).toEqual([
    'nsenter',
    'unshare',
    'setpriv',
  ]);
  expect(chain).toContain('--reuid=400001');
  expect(chain).toContain('--clear-groups');
  expect(chain).toContain('--no-new-privs');
  expect(confine({ groups: [] })).toEqual([]);
});

test('forwards are read from the table of QEMU', () => {
  const table = [
    'Hub -1 (net0):',
    '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
    '  TCP[HOST_FORWARD]  12     198.18.40.15    22       10.0.2.15    22     0     0',
    '  TCP[ESTABLISHED]   14        10.0.2.15 44444     203.0.113.9   443     0     0',
    '  TCP[HOST_FORWARD]  13        127.0.0.1 35001       10.0.2.15  8080     0     0',
  ].join('\n');
  expect([hostPortOf(table, 22), hostPortOf(table, 8080), hostPortOf(table, 443)]).toEqual([22, 35_001, undefined]);
});

test('an interface tells its home, and foreign ones tell nothing', () => {
  expect(readLinkAlias(`${linkAlias('/var/lib/le bureau', 400_000)}\n`)).toEqual({
    home: '/var/lib/le bureau',
    uidBase: 400_000,
  });
  for (const other of ['', 'uplink', 'lebureau x /a', 'lebureau 1 relative'])
    expect(readLinkAlias(other)).toBeUndefined();
  expect(slotOfLink(addressing(5, 7, 400_000).link)).toEqual({ block: 5, slot: 7 });
  expect(slotOfLink('lb5-7')).toBeUndefined();
});
