import { expect, test } from 'vitest';
import { readLaunchConfig } from './config.ts';

test('mistakes are reported together', () => {
  expect(() => readLaunchConfig({ LEBUREAU_HOME: 'relative', LEBUREAU_PORT: '70000' })).toThrow(
    /LEBUREAU_HOME[^]*LEBUREAU_PORT/,
  );
});

test('defaults name a folder and two ports', () => {
  const config = readLaunchConfig({});
  expect(config.home).toMatch(/^\//);
  expect(config.port).not.toBe(config.mcpPort);
});
