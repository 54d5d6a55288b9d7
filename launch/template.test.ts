import { expect, test } from 'vitest';
import { ensureTemplate } from './template.ts';

const quiet = { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream;
const wish = { home: '/nowhere', cacheDir: '/nowhere', out: quiet };

test('a build that is stopped ends in one sentence, after the builder has cleaned up', async () => {
  const stop = new AbortController();
  const began = performance.now();
  const script = 'trap "sleep 0.2; exit 1" TERM; echo "{}"; while :; do sleep 0.05; done';
  const building = ensureTemplate({ ...wish, signal: stop.signal, command: ['sh', '-c', script] });
  setTimeout(() => stop.abort(), 100);
  await expect(building).rejects.toThrow(/^Stopped\. Nothing half-made is left/);
  expect(performance.now() - began).toBeGreaterThan(200);
});

test("the builder's own sentence is what a person reads", async () => {
  const command: [string, ...string[]] = ['sh', '-c', `echo '{"error":"no room"}'; exit 1`];
  await expect(ensureTemplate({ ...wish, command })).rejects.toThrow(/^no room$/);
});
