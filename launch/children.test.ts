import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keepRunning } from './children.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-children-'));
afterAll(() => rmSync(folder, { recursive: true }));

function runOnce(script: string): Promise<string> {
  const program = { name: 'api', command: ['sh', '-c', script], environment: {}, logPath: join(folder, 'api.log') };
  return new Promise((resolve) => keepRunning(program, resolve));
}

test('a refused configuration is final, and the sentence says what was refused', async () => {
  const sentence = await runOnce(
    'echo "The configuration has mistakes:"; echo "  LEBUREAU_PROT is no variable"; exit 78',
  );
  expect(sentence).toBe('api refuses its configuration: LEBUREAU_PROT is no variable');
});

test('a successor is final', async () => {
  expect(await runOnce('exit 75')).toContain('Another api has taken over');
});

/** Where what this process has open leads; other tests of it open and close what they need meanwhile. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return [];
    }
  });
}

test('the log is not held open by the launcher', async () => {
  await runOnce('exit 78');
  expect(openFiles()).not.toContain(join(folder, 'api.log'));
});
