import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { SftpSession } from './sftpSession.ts';
import { UploadsUnderWay } from './uploadsUnderWay.ts';

test('so many unfinished uploads and no more, until one is over or its time is', () => {
  const uploads = new UploadsUnderWay();
  const begin = (name: string, nowMs = 0) =>
    uploads.begin(name, { temporary: `/${name}`, expiresMs: nowMs + 10 }, nowMs);
  for (let count = 0; count < 100; count++) expect(begin(`u${count}`)).toEqual([]);
  expect(() => begin('more')).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  uploads.forget('u7');
  begin('more');
  expect(() => begin('still more')).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  uploads.renew('u8', { temporary: '/u8', expiresMs: 20 });
  expect(begin('later', 11)).toHaveLength(99);
  expect(begin('later still', 11)).toEqual([]);
  uploads.renew('gone', { temporary: '/gone', expiresMs: 0 });
  expect(begin('last', 21)).toEqual(['/u8']);
});

test('a hash is good for just these bytes over just this session', () => {
  const uploads = new UploadsUnderWay();
  const [session, other] = [{}, {}] as SftpSession[];
  const keep = () => uploads.keepHash('u', { hash: createHash('sha256'), bytes: 5, session: session! });
  keep();
  expect(uploads.takeHash('u', 4, session!)).toBeUndefined();
  keep();
  expect(uploads.takeHash('u', 5, other!)).toBeUndefined();
  keep();
  expect(uploads.takeHash('u', 5, session!)).toBeDefined();
  expect(uploads.takeHash('u', 5, session!)).toBeUndefined();
});

test('one at a time: however many come at once, each stops who was before', async () => {
  const uploads = new UploadsUnderWay();
  let inside = 0;
  const seen: number[] = [];
  const work = () =>
    uploads.exclusively('u', async (stop) => {
      seen.push(++inside);
      await new Promise<void>((resolve) => {
        if (seen.length === 5) resolve();
        stop.addEventListener('abort', () => resolve(), { once: true });
      });
      inside--;
    });
  await Promise.all([work(), work(), work(), work(), work()]);
  expect(seen).toEqual([1, 1, 1, 1, 1]);
});
