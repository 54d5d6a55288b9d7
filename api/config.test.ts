import { expect, test } from 'vitest';
import { readApiConfig } from './config.ts';

test('no setting makes reclaiming quicker than somebody can notice', () => {
  const read = (seconds?: string) => readApiConfig({ LEBUREAU_RECLAIM_AFTER_SECONDS: seconds }).reclaimAfterSeconds;
  expect(read()).toBe(600);
  expect(read('300')).toBe(300);
  expect(() => read('299')).toThrow('LEBUREAU_RECLAIM_AFTER_SECONDS: wants a whole number 300');
  expect(() => read('1')).toThrow('LEBUREAU_RECLAIM_AFTER_SECONDS');
});
