import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { readBody } from './body.ts';

test.each(['with a length', 'without one'])(
  'a body %s that does not come to its end is not waited for',
  async (how) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
    });
    const headers: Record<string, string> = how === 'with a length' ? { 'content-length': '2' } : {};
    const request = new Request('http://api/', { method: 'POST', body, headers });
    const late = Promise.withResolvers<void>();
    const clock = { ...systemClock, sleep: () => late.promise };
    const reading = readBody(request, { maxBytes: 100, clock });
    late.resolve();
    await expect(reading).rejects.toThrow('did not come within 60 seconds');
  },
);

test('one that came is whole, and nothing of the wait is left', async () => {
  let left = 0;
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => {
      left += 1;
      return systemClock.sleep(ms, signal).then(() => void (left -= 1));
    },
  };
  const request = new Request('http://api/', { method: 'POST', body: 'whole' });
  expect(Buffer.from(await readBody(request, { maxBytes: 100, clock })).toString()).toBe('whole');
  await expect.poll(() => left).toBe(0);
});
