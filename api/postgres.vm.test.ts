import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestPostgres } from './testing/postgres.ts';
import { startTestApi } from './testing/testApi.ts';
import { testDatabase } from './testing/testDatabase.ts';

/** The tests of the API once more, with their rows in Postgres; then what only several replicas can show. */

const postgres = await startTestPostgres();
beforeAll(() => {
  testDatabase.url = () => postgres.newDatabase();
});
afterAll(() => postgres.stop());

// Each in a group of its own: what one file does before each of its tests is not done before those of the others.
describe.each([
  ['desktops/desktops', () => import('./desktops/desktops.test.ts')],
  ['keys/keys', () => import('./keys/keys.test.ts')],
  ['signIn/signIn', () => import('./signIn/signIn.test.ts')],
  ['events/events', () => import('./events/events.test.ts')],
  ['guest/forward', () => import('./guest/forward.test.ts')],
  ['http/http', () => import('./http/http.test.ts')],
  ['nodes/join', () => import('./nodes/join.test.ts')],
  ['nodes/duty', () => import('./nodes/duty.vm.test.ts')],
  ['nodes/move', () => import('./nodes/move.vm.test.ts')],
  ['nodes/hostileNode', () => import('./nodes/hostileNode.test.ts')],
  ['nodes/rotation', () => import('./nodes/rotation.vm.test.ts')],
  ['nodes/diskCapacity', () => import('./nodes/diskCapacity.test.ts')],
  ['nodes/skew', () => import('./nodes/skew.test.ts')],
  ['nodes/observations', () => import('./nodes/observations.test.ts')],
  ['pool/pool', () => import('./pool/pool.vm.test.ts')],
  ['streams/streams', () => import('./streams/streams.test.ts')],
  ['grants/grants', () => import('./grants/grants.test.ts')],
  ['metrics/metrics', () => import('./metrics/metrics.vm.test.ts')],
] as const)('on Postgres: %s', async (_, file) => {
  await file();
});

describe('two replicas on one database', () => {
  test('an order given to one wakes the node at the other, and what is seen there ends a wait here', async () => {
    const databaseUrl = await postgres.newDatabase();
    const [one, two] = [
      await startTestApi({ config: { databaseUrl } }),
      await startTestApi({ config: { databaseUrl } }),
    ];
    try {
      await two.node();
      const { id } = await one.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' });
      const beganMs = performance.now();
      const path = `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=10`;
      expect(await one.expect('getDesktop', 200, { method: 'GET', path })).toMatchObject({ ready: true });
      // It was woken: without that it would look again after five seconds.
      expect(performance.now() - beganMs).toBeLessThan(4500);
    } finally {
      await one.stop();
      await two.stop();
    }
  });

  test('a ticket made by one opens a stream at the other, and a key revoked at one ends it there', async () => {
    const databaseUrl = await postgres.newDatabase();
    const [one, two] = [
      await startTestApi({ config: { databaseUrl } }),
      await startTestApi({ config: { databaseUrl } }),
    ];
    try {
      await one.node();
      const { id } = await one.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops' });
      await one.expect('getDesktop', 200, {
        method: 'GET',
        path: `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=10`,
      });
      const body = { name: 'viewer', capabilities: ['desktop:control'] };
      const key = await one.expect<{ key: { id: string }; secret: string }>('createKey', 201, {
        method: 'POST',
        path: '/v1/keys',
        body,
      });
      const { path, ticket } = await one.expect<{ path: string; ticket: string }>('createStream', 201, {
        method: 'POST',
        path: `/v1/desktops/${id}/streams`,
        body: { kind: 'vnc' },
        secret: key.secret,
      });
      const socket = new WebSocket(`${two.api.url.replace('http', 'ws')}${path}?ticket=${ticket}`);
      const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve);
        socket.addEventListener('error', reject);
      });
      const beganMs = performance.now();
      await one.ask('DELETE', `/v1/keys/${key.key.id}`);
      expect(await closed).toBe(4403);
      expect(performance.now() - beganMs).toBeLessThan(2000);
    } finally {
      await one.stop();
      await two.stop();
    }
  });

  test('a quota holds when both create at once, and a key revoked at one stops at the other within a second', async () => {
    const databaseUrl = await postgres.newDatabase();
    const quota = { desktopsMax: 10, vcpusMax: 1000, memoryMiBMax: 1_000_000, diskGiBMax: 10_000 };
    const [one, two] = [
      await startTestApi({ config: { databaseUrl, quota } }),
      await startTestApi({ config: { databaseUrl, quota } }),
    ];
    try {
      await one.node();
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, at) => (at % 2 ? one : two).ask('POST', '/v1/desktops', { body: {} })),
      );
      const count = (status: number) => answers.filter((answer) => answer.status === status).length;
      expect([count(201), count(409)]).toEqual([10, 30]);
      const { secret, key } = await one.expect<{ secret: string; key: { id: string } }>('createKey', 201, {
        method: 'POST',
        path: '/v1/keys',
        body: { name: 'k' },
      });
      await two.expect('getMe', 200, { method: 'GET', path: '/v1/me', secret });
      await one.ask('DELETE', `/v1/keys/${key.id}`);
      await Bun.sleep(1000);
      await two.expect('getMe', 401, { method: 'GET', path: '/v1/me', secret });
    } finally {
      await one.stop();
      await two.stop();
    }
  });
});
