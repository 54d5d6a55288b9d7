import { expect, test } from 'vitest';
import { metricsOfNodes } from './routes.ts';
import { Turns } from './turns.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

test('so many run at a time, the others in their order, and who comes to a full queue is sent away', async () => {
  const turns = new Turns({ atOnceMax: 2, waitingMax: 2 });
  const began: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const work = (name: string) =>
    turns.run(() => {
      began.push(name);
      return new Promise<string>((resolve, reject) =>
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error))),
      );
    });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(work);
  await expect(work('e')).rejects.toMatchObject({ code: 'unavailable' });
  expect(began).toEqual(['a', 'b']);
  // One that fails hands its place on, too.
  ends.get('b')!(new Error('broken'));
  await expect(b).rejects.toThrow('broken');
  await tick();
  expect(began).toEqual(['a', 'b', 'c']);
  ends.get('a')!();
  expect(await a).toBe('a');
  await tick();
  for (const name of ['c', 'd']) ends.get(name)!();
  expect([await c, await d]).toEqual(['c', 'd']);
  const f = work('f');
  await tick();
  ends.get('f')!();
  expect(await f).toBe('f');
  expect(began).toEqual(['a', 'b', 'c', 'd', 'f']);
});

test('reports of what was used hold a few of the connections to the database at most', async () => {
  const ends: ((receipt: object) => void)[] = [];
  const write = () => new Promise((resolve) => ends.push(resolve));
  const [route] = metricsOfNodes({ database: { write } } as never, () => Promise.reject(new Error('not asked here')));
  const answers = Array.from({ length: 20 }, () => route!.handle!({ body: {}, peer: { kind: 'local' } } as never));
  for (let at = 0; at < 20; at++) {
    await tick();
    expect(ends).toHaveLength(Math.min(20, at + 3));
    ends[at]!({ dropped: 0 });
  }
  expect(await Promise.all(answers)).toHaveLength(20);
});
