import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { systemClock } from '@lebureau/kit/clock';
import { expect, onTestFinished, test } from 'vitest';
import { type Grant, PreviewWays } from './previewWays.ts';

const grant: Grant = { userId: 'usr_1', sessionId: 'ses_1', desktopId: 'dsk_1', port: 3000 };

function world(apiUrl = 'http://127.0.0.1:1') {
  const clock = { ...systemClock, ms: 0, monotonicMs: () => clock.ms };
  const assertions = { of: () => Promise.resolve('assertion') };
  const ways = new PreviewWays({ clock, assertions, config: { apiUrl } } as never);
  onTestFinished(() => ways.close());
  return { ways, clock };
}

test('requests that come at once share one way, which ends with the others', async () => {
  const { ways } = world();
  const opened = await Promise.all([1, 2, 3, 4].map(() => ways.to(grant)));
  expect(new Set(opened).size).toBe(1);
  const other = await ways.to({ ...grant, port: 3001 });
  expect(other.path).not.toBe(opened[0]!.path);
  ways.close();
  expect([...opened, other].filter(({ path }) => existsSync(path))).toEqual([]);
});

test('ways of one person share what their guests may leave unfinished, in whatever sessions they are used', async () => {
  const { ways } = world();
  const [one, other] = [await ways.to(grant), await ways.to({ ...grant, sessionId: 'ses_2', port: 3001 })];
  const theirs = await ways.to({ ...grant, userId: 'usr_2', sessionId: 'ses_3' });
  expect([one.unfinished === other.unfinished, one.unfinished === theirs.unfinished]).toEqual([true, false]);
});

test('a way that nobody uses is forgotten, one that is used is not', async () => {
  const { ways, clock } = world();
  const idle = await ways.to(grant);
  clock.ms = 300_000;
  const used = await ways.to({ ...grant, port: 3001 });
  clock.ms = 700_000;
  await ways.to({ ...grant, port: 3002 });
  expect(existsSync(idle.path)).toBe(false);
  expect(await ways.to({ ...grant, port: 3001 })).toBe(used);
});

test('a page that opens one connection after the other leaves its viewer streams to ask for', async () => {
  let asked = 0;
  const api = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => Response.json({ code: 'not_ready', detail: String((asked += 1)) }, { status: 503 }),
  });
  onTestFinished(() => api.stop(true));
  const { ways, clock } = world(`http://127.0.0.1:${api.port}`);
  const way = await ways.to(grant);
  const knock = () => new Promise((resolve) => connect(way.path).on('error', resolve).on('close', resolve).resume());
  while (way.refusal?.code !== 'rate_limited' && asked < 1200) await Promise.all(Array.from({ length: 20 }, knock));
  expect(asked).toBe(300);
  clock.ms = 1_000;
  await Promise.all(Array.from({ length: 20 }, knock));
  expect(asked).toBe(310);
});
