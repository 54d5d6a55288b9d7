import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { requireRoom } from './homeFolder.ts';

const home = mkdtempSync(join(tmpdir(), 'lebureau-home-'));
afterAll(() => rmSync(home, { recursive: true }));

test('room is wanted until a template is there, also after a build that was interrupted', () => {
  const wayOut = /100 MiB free[^]*Make room, or name another folder in LEBUREAU_HOME/;
  expect(() => requireRoom(home, 100)).toThrow(wayOut);
  mkdirSync(join(home, 'templates', '.making-tpl_x'), { recursive: true });
  expect(() => requireRoom(home, 100)).toThrow(wayOut);
  expect(() => requireRoom(home, 10_000)).not.toThrow();
  mkdirSync(join(home, 'templates', 'tpl_x'));
  expect(() => requireRoom(home, 100)).not.toThrow();
});
