import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGatewayConfig } from './config.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lb-gateway-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

test('the gateway that starts before the API waits for the key that the API makes', async () => {
  const clock = stepClock((sleeps) => {
    if (sleeps === 3) writeFileSync(join(home, 'gateway-key'), 'a key\n');
  });
  expect((await readGatewayConfig(clock, { LEBUREAU_HOME: home })).privateKey).toBe('a key\n');
  expect(clock.sleeps()).toBe(3);
});

test('where no key comes, it says who makes it and what to do', async () => {
  const config = readGatewayConfig(stepClock(), { LEBUREAU_HOME: home });
  await expect(config).rejects.toThrow(/gateway-key\. The API on this machine makes it.*LEBUREAU_GATEWAY_KEY/);
});

test('a key that is given is not waited for', async () => {
  const clock = stepClock();
  const config = await readGatewayConfig(clock, { LEBUREAU_HOME: home, LEBUREAU_GATEWAY_KEY: 'given' });
  expect([config.privateKey, clock.sleeps()]).toEqual(['given', 0]);
});

/** Time passes only in its sleeps. */
function stepClock(onSleep: (sleeps: number) => void = () => undefined): Clock & { sleeps(): number } {
  let nowMs = 0;
  let sleeps = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep(ms) {
      nowMs += ms;
      onSleep(++sleeps);
      return Promise.resolve();
    },
    sleeps: () => sleeps,
  };
}
