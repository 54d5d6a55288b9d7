import { expect, test } from 'vitest';
import { cpuMsIn, diskCountersIn, linkCounters, memoryIn } from './metrics.ts';

test('processor time of a process whose name means harm', () => {
  const fields = ['S', ...Array.from({ length: 10 }, () => '0'), '250', '50', '9', '9'];
  expect(cpuMsIn(`42 (a) b) ${fields.join(' ')}`)).toBe(3000);
});

test('memory: what was written is its own, what was read of the template is shared', () => {
  const status = 'Name:\tqemu\nVmSwap:\t    100 kB\nRssAnon:\t  2000 kB\nRssFile:\t 500 kB\nRssShmem:\t 3000 kB\n';
  expect(memoryIn(status)).toEqual({ memoryUsedKiB: 5100, memoryHostKiB: 2000 });
  expect(memoryIn('Name:\tgone\n')).toEqual({});
});

test('the links of all guests are in one file', () => {
  const links = linkCounters(
    `Inter-|   Receive |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:  100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
lb3v12: 700 7 0 0 0 0 0 0 900 9 0 0 0 0 0 0
`,
  );
  expect([...links.keys()]).toEqual(['lo', 'lb3v12']);
  expect(links.get('lb3v12')).toEqual({ receivedBytes: 700, sentBytes: 900 });
});

test('what QEMU says of its disk is believed where it is a number', () => {
  const stats = { rd_bytes: 10, wr_bytes: 20 };
  expect(diskCountersIn([{ device: 'other' }, { device: 'disk0', stats }])).toEqual({
    diskReadBytes: 10,
    diskWrittenBytes: 20,
  });
  const nothing = { diskReadBytes: undefined, diskWrittenBytes: undefined };
  for (const answer of [
    undefined,
    null,
    'x',
    [null],
    [{ device: 'disk0' }],
    [{ device: 'disk0', stats: { rd_bytes: -1, wr_bytes: 1e300 } }],
  ])
    expect(diskCountersIn(answer)).toEqual(nothing);
});
