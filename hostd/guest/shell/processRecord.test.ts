import { expect, test } from 'vitest';
import { readRecord } from './processRecord.ts';

// Made at 1,790,000,000,123 ms.
const id = 'prc_01m3250v3ve8krvrc7124bzb1y';

test('a line of the guest becomes a process, timed by our clock', () => {
  expect(readRecord(`${id} 42 1 - - 3 0 0 6563686f20c3a9`, 'agent')).toEqual({
    processId: id,
    command: 'echo é',
    user: 'agent',
    pid: 42,
    status: 'running',
    exitCode: null,
    startedAt: '2026-09-21T14:13:20.123Z',
    endedAt: null,
    stdoutBytes: 3,
    stderrBytes: 0,
    truncated: false,
  });
  expect(readRecord(`${id} 42 0 - - 0 0 0 -`, 'root')).toMatchObject({ status: 'lost', user: 'root' });
  expect(readRecord(`${id} 42 1 137 1790000060 0 0 1 -`, 'root')).toMatchObject({
    status: 'exited',
    exitCode: 137,
    endedAt: '2026-09-21T14:14:20.000Z',
    truncated: true,
  });
});

test('nothing ends before it began or after time, whatever the guest says', () => {
  expect(readRecord(`${id} 1 0 0 0 0 0 0 -`, 'agent')?.endedAt).toBe('2026-09-21T14:13:20.123Z');
  expect(readRecord(`${id} 1 0 0 999999999999 0 0 0 -`, 'agent')?.endedAt).toBe('9999-12-31T23:59:59.999Z');
});

test.each([
  '',
  'missing',
  `${id}`,
  `${id} 42 1 - - 3 0 0 6563f`,
  `${id} 99999999999 1 - - 3 0 0 -`,
  `x${id} 42 1 - - 3 0 0 -`,
  `${id} 42 1 - - 3 0 0 - `,
])('%j is no record', (line) => {
  expect(readRecord(line, 'agent')).toBeUndefined();
});
