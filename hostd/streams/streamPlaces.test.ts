import { isFault } from '@lebureau/kit/fault';
import { expect, test } from 'vitest';
import { StreamPlaces } from './streamPlaces.ts';

const assignmentId = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const watching = (behind: string) => ({ assignmentId, behind, kind: 'vnc', watches: true }) as const;
const writing = (behind: string) => ({ assignmentId, behind, kind: 'vnc', watches: false }) as const;
const terminal = (behind: string) => ({ assignmentId, behind, kind: 'terminal', watches: false }) as const;
const port = (behind: string) => ({ assignmentId, behind, kind: 'port', watches: false }) as const;

/** How many come in until the first is refused, and what that is told. */
function fill(places: StreamPlaces, wish: Parameters<StreamPlaces['take']>[0]) {
  const leave: (() => void)[] = [];
  try {
    while (leave.length < 200) leave.push(places.take(wish));
    throw new Error('there is no limit');
  } catch (error) {
    if (!isFault(error, 'rate_limited')) throw error;
    return { count: leave.length, leave, told: `${error.message} ${error.extra.hint}` };
  }
}

test('one who watches holds twelve screens at most, and is told to close one', () => {
  const places = new StreamPlaces();
  const { count, leave, told } = fill(places, watching('usr_a'));
  expect([count, told]).toEqual([12, expect.stringMatching(/^You have 12 screens .* Close one of them/)]);
  expect(fill(places, writing('usr_a')).count).toBe(0);
  leave[0]!();
  // Giving back again gives back nothing more.
  leave[0]!();
  expect(fill(places, watching('usr_a')).count).toBe(1);
});

test('however many watch, who may write finds a screen, and hostd its own', () => {
  const places = new StreamPlaces();
  let watchers = 0;
  for (let person = 0; person < 10; person++) watchers += fill(places, watching(`usr_${person}`)).count;
  expect(watchers).toBe(23);
  expect(fill(places, watching('usr_late')).told).toContain('`mode` `control`');
  expect([fill(places, writing('usr_owner')).count, fill(places, writing('usr_late')).count]).toEqual([8, 0]);
  // Screens are all taken, everything else is not.
  expect(fill(places, port('usr_late')).count).toBe(64);
});

test('nobody has all streams of a desktop, and each desktop has its own', () => {
  const places = new StreamPlaces();
  expect([fill(places, port('usr_a')).count, fill(places, port('usr_b')).count]).toEqual([64, 26]);
  for (const wish of [port, terminal, watching])
    expect(fill(places, wish('usr_c')), wish.name).toMatchObject({
      count: 0,
      told: expect.stringMatching(/^90 streams/),
    });
  // Who may write finds a screen all the same.
  expect(fill(places, writing('usr_owner'))).toMatchObject({ count: 10, told: expect.stringMatching(/^100 streams/) });
  const elsewhere = { ...port('usr_a'), assignmentId: `${assignmentId.slice(0, -1)}5` };
  expect(fill(places, elsewhere).count).toBe(64);
});

test('nobody has all terminals, and no more have a place than the guest gives channels', () => {
  const places = new StreamPlaces();
  const { count, leave, told } = fill(places, terminal('usr_a'));
  expect([count, told]).toEqual([8, expect.stringMatching(/^You have 8 terminals .* Close one of them/)]);
  expect(fill(places, terminal('usr_owner')).count).toBe(8);
  expect(fill(places, terminal('usr_c'))).toMatchObject({ count: 2, told: expect.stringMatching(/^18 terminals/) });
  leave[0]!();
  expect(fill(places, terminal('usr_c')).count).toBe(1);
  expect(fill(places, port('usr_a')).count).toBe(57);
});
