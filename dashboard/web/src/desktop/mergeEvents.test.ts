import { expect, test } from 'vitest';
import { mergeEvents } from './mergeEvents.ts';

const at = (id: string, seconds: number) =>
  ({ id, createdAt: `2026-11-20T10:00:0${seconds}.000Z`, type: 'desktop.ready' }) as never;

test('what was read and what was heard become one list, the newest first, each event once', () => {
  const read = [at('evt_c', 3), at('evt_b', 2), at('evt_a', 1)];
  const ids = (events: readonly { id: string }[]) => events.map(({ id }) => id.slice(4)).join('');
  expect(ids(mergeEvents(read, [at('evt_d', 4), at('evt_c', 3)]))).toBe('dcba');
  expect(ids(mergeEvents([], read))).toBe('cba');
  // Another replica told it late, and two of one moment.
  expect(ids(mergeEvents(read, [at('evt_z', 2)]))).toBe('czba');
});
