import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { identifyProcess, isAlive, killProcess, processesOf } from './process.ts';

test('a process is itself only with its own start time and boot of the host', () => {
  const self = identifyProcess(process.pid);
  if (!self) throw new Error('this process was not found');
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTicks: self.startTicks - 1 })).toBe(false);
  expect(isAlive({ ...self, hostBoot: 'another' })).toBe(false);
});

test('a process that reuses the pid is not killed, the real one is', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const identity = identifyProcess(child.pid ?? 0);
  if (!identity) throw new Error('the child was not found');
  expect(processesOf((uid) => uid === process.getuid?.()).some((each) => each.identity.pid === child.pid)).toBe(true);
  await killProcess({ ...identity, startTicks: identity.startTicks + 1 }, systemClock, 50);
  expect(isAlive(identity)).toBe(true);
  expect(await killProcess(identity, systemClock, 5000)).toBe(true);
  expect(isAlive(identity)).toBe(false);
});
