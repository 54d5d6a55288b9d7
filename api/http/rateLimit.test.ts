import type { Clock } from '@lebureau/kit/clock';
import { isFault } from '@lebureau/kit/fault';
import { expect, test } from 'vitest';
import { type RateLimited, RateLimiter } from './rateLimit.ts';

function limiterAt(clock: { ms: number }) {
  const limits = { control: 60, input: 0, screenshot: 10, exec: 10, files: 10, streams: 10 };
  return new RateLimiter(limits, { monotonicMs: () => clock.ms } as Clock);
}

function caught(body: () => unknown): RateLimited {
  try {
    body();
  } catch (error) {
    if (isFault(error)) return error as RateLimited;
  }
  throw new Error('nothing was refused');
}

test('a bucket empties, says when to come back, and fills with time', () => {
  const clock = { ms: 0 };
  const limiter = limiterAt(clock);
  for (let left = 59; left >= 0; left--) expect(limiter.take('k', 'control')['RateLimit']).toContain(`r=${left};`);
  const refused = caught(() => limiter.take('k', 'control'));
  expect(refused.extra.retryAfterSeconds).toBe(1);
  expect(refused.headers).toEqual({ 'RateLimit-Policy': '"control";q=60;w=60', RateLimit: '"control";r=0;t=60' });
  clock.ms = 1001;
  limiter.take('k', 'control');
  caught(() => limiter.take('k', 'control'));
});

test('keys and buckets do not touch each other, and 0 is no limit', () => {
  const limiter = limiterAt({ ms: 0 });
  for (let i = 0; i < 10; i++) limiter.take('a', 'exec');
  caught(() => limiter.take('a', 'exec'));
  limiter.take('b', 'exec');
  limiter.take('a', 'files');
  for (let i = 0; i < 1000; i++) expect(limiter.take('a', 'input')).toEqual({});
});
