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

test('a variable that nobody reads is refused, and those of the other programs are not', () => {
  expect(() => readLaunchConfig({ LEBUREAU_PROT: '7070' })).toThrow('LEBUREAU_PROT is not a variable');
  readLaunchConfig({ LEBUREAU_RATE_LIMITS: 'off', LEBUREAU_MCP_TOOLSETS: 'exec', LEBUREAU_EFFECTS_MAX: '2' });
});
