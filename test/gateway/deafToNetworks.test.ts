import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('what it becomes has its arguments and can ask nothing about networks', () => {
  const script = 'echo "$1"; ip link';
  const words = [join(import.meta.dirname, 'deafToNetworks.ts'), '/bin/sh', '-c', script, 'sh', 'a  b'];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  expect(stdout).toBe('a  b\n');
  expect(stderr).toContain('Cannot open netlink socket');
});
