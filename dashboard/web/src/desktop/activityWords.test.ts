import type { Event } from '@lebureau/sdk/types';
import { expect, test } from 'vitest';
import { sayActor, sayDetail, sayEvent } from './activityWords.ts';

const happened = (type: string, fields: Partial<Event> = {}): Event => ({
  id: 'evt_1',
  type: type as Event['type'],
  createdAt: '2026-01-01T00:00:00Z',
  desktopId: 'dsk_1',
  actor: { type: 'node', id: 'nod_1', name: null },
  requestId: null,
  data: {},
  ...fields,
});

test('who took control is named, and the node that tells it is not', () => {
  const event = happened('desktop.control_taken', { data: { kind: 'human', name: 'Ada' } });
  expect(sayEvent(event)).toBe('Ada took control');
  expect(sayActor(event, 'usr_1')).toBe('');
});

test('one’s own doing is told from that of others', () => {
  const actor = { type: 'user', id: 'usr_1', name: null } as const;
  expect(sayActor(happened('desktop.created', { actor }), 'usr_1')).toBe('by you');
  expect(sayActor(happened('desktop.created', { actor }), 'usr_2')).toBe('by usr_1');
  const key = { type: 'key', id: 'key_1', name: 'nightly' } as const;
  expect(sayActor(happened('desktop.created', { actor: key }), 'usr_1')).toBe('by the key nightly');
  const client = { type: 'client', id: 'cli_1', name: 'Claude' } as const;
  expect(sayActor(happened('desktop.created', { actor: client }), undefined)).toBe('by Claude');
});

test('an error says which; what the page does not know is shown as it is', () => {
  const data = { code: 'disk_full', message: 'The disk of the node is full.' };
  expect(sayDetail(happened('desktop.error', { data }))).toBe('The disk of the node is full.');
  expect(sayDetail(happened('desktop.unmoved', { data }))).toBe('The disk of the node is full.');
  expect(sayDetail(happened('desktop.created', { data }))).toBe('');
  const cause = { name: 'Ada', cause: 'move' };
  const released = happened('desktop.control_released', { data: cause });
  expect([sayEvent(released), sayDetail(released)]).toEqual(['Ada no longer has control', 'The desktop moved.']);
  expect(sayEvent(happened('desktop.starting', { data: { action: 'restart' } }))).toBe('Restart ordered');
  expect(sayEvent(happened('desktop.painted'))).toBe('desktop.painted');
});
