import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { type OpenUse, OpenUses } from './openUses.ts';

let api: TestApi;
let key: { id: string; workspaceId: string };
let desktopId: string;
beforeAll(async () => {
  api = await startTestApi();
  await api.node();
  const made = { method: 'POST', path: '/v1/desktops', body: { network: 'none' } };
  ({ id: desktopId } = await api.expect<{ id: string }>('createDesktop', 201, made));
  const { database } = api.api.services;
  key = await database.read.selectFrom('apiKeys').select(['id', 'workspaceId']).executeTakeFirstOrThrow();
});
afterAll(() => api.stop());

/** The database, counting what it is asked; `isAway`: it cannot be. */
function counted(isAway = () => false) {
  const asked = { times: 0 };
  const { database } = api.api.services;
  const look = <Value>(value: Value): Value => {
    asked.times += 1;
    if (isAway()) throw new Error('the database is away');
    return value;
  };
  const source = {
    get read() {
      return look(database.read);
    },
    select: ((query) => look(database).select(query)) as typeof database.select,
  };
  return { asked, source };
}

const useOf = (closed: string[] = []): OpenUse => ({
  credential: { workspaceId: key.workspaceId, actorType: 'key', actorId: key.id, sessionId: null },
  capability: 'desktop:control',
  desktopId,
  close: (_code, reason) => closed.push(reason),
});

test('calls that are over soon cost the database nothing; one that lasts is asked about, with all of its key', async () => {
  const { asked, source } = counted();
  const uses = new OpenUses({ database: source, clock: systemClock, log: silentLog });
  const untilMs = performance.now() + 1500;
  while (performance.now() < untilMs) {
    const some = Array.from({ length: 20 }, () => useOf());
    for (const use of some) uses.add(use);
    await Bun.sleep(400);
    for (const use of some) uses.remove(use);
  }
  expect([asked.times, uses.size]).toEqual([0, 0]);
  const closed: string[] = [];
  const lasting = Array.from({ length: 20 }, () => useOf(closed));
  for (const use of lasting) uses.add(use);
  await expect.poll(() => asked.times, { timeout: 5000 }).toBeGreaterThan(0);
  // One look for twenty: who it is, and whether they see the desktop.
  expect(asked.times).toBeLessThanOrEqual(3);
  expect(closed).toEqual([]);
  for (const use of lasting) uses.remove(use);
});

test('whenever a key ends, what it has open ends within two seconds', async () => {
  const { database } = api.api.services;
  for (const openMs of [0, 400, 900, 1300, 5000]) {
    const made = { method: 'POST', path: '/v1/keys', body: { name: 'one', capabilities: ['desktop:control'] } };
    const { key: ended } = await api.expect<{ key: { id: string } }>('createKey', 201, made);
    const time = steppedClock();
    const uses = new OpenUses({ database, clock: time.clock, log: silentLog });
    const closedMs: number[] = [];
    const use = useOf();
    uses.add({
      ...use,
      credential: { ...use.credential, actorId: ended.id },
      close: () => void closedMs.push(time.clock.monotonicMs()),
    });
    await time.advance(uses, openMs);
    expect(closedMs).toEqual([]);
    const endedMs = time.clock.monotonicMs();
    await api.ask('DELETE', `/v1/keys/${ended.id}`);
    await time.advance(uses, 5000);
    // The rest of the two seconds is for the look itself.
    expect(closedMs[0]! - endedMs, `${openMs}`).toBeLessThanOrEqual(1400);
  }
});

test('while the database cannot be asked a use goes on, but not for ever', async () => {
  const time = steppedClock();
  let isAway = true;
  const uses = new OpenUses({ database: counted(() => isAway).source, clock: time.clock, log: silentLog });
  const closed: string[] = [];
  const add = () => {
    const use: OpenUse = {
      ...useOf(),
      close: (_code, reason) => {
        closed.push(reason);
        uses.remove(use);
      },
    };
    uses.add(use);
  };
  add();
  await time.advance(uses, 10_000);
  expect(closed).toEqual([]);
  await time.advance(uses, 2000);
  expect(closed).toEqual(['the database is away']);
  // Where it comes back in time the doubt is forgotten.
  add();
  for (isAway of [true, false, true]) await time.advance(uses, 6000);
  expect(closed).toHaveLength(1);
  await time.advance(uses, 6000);
  expect(closed).toHaveLength(2);
});

test('however many are asked about, a database that says nothing holds nobody longer', async () => {
  const quicker = 25;
  const clock = {
    ...systemClock,
    monotonicMs: () => performance.now() * quicker,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / quicker, signal),
  };
  const never = () => new Promise<never>(() => {});
  const query: unknown = new Proxy(
    {},
    { get: (_, name) => (String(name).startsWith('execute') ? never : () => query) },
  );
  const uses = new OpenUses({ database: { read: query, select: never } as never, clock, log: silentLog });
  for (let at = 0; at < 60; at++) {
    const one = useOf();
    const use: OpenUse = {
      ...one,
      credential: { ...one.credential, actorId: `key_${at}` },
      close: () => uses.remove(use),
    };
    uses.add(use);
  }
  const beganMs = clock.monotonicMs();
  await expect.poll(() => uses.size, { timeout: 5_000 }).toBe(0);
  expect(clock.monotonicMs() - beganMs).toBeLessThan(40_000);
});

/** A clock that goes on only when told to, and waits for what was begun meanwhile. */
function steppedClock() {
  let nowMs = 0;
  let wake: (() => void) | undefined;
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: (ms: number, whole?: AbortSignal) =>
      new Promise<void>((resolve) => {
        // The limit of a look, which is over at once here.
        if (whole !== undefined) return whole.addEventListener('abort', () => resolve(), { once: true });
        wake = () => {
          nowMs += ms;
          resolve();
        };
      }),
  };
  const advance = async (uses: OpenUses, ms: number) => {
    const untilMs = nowMs + ms;
    while (nowMs < untilMs && uses.size > 0) {
      const go = wake;
      wake = undefined;
      go?.();
      while (wake === undefined && uses.size > 0) await Bun.sleep(1);
    }
  };
  return { clock, advance };
}
