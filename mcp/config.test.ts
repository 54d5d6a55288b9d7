import { expect, test } from 'vitest';
import { configFromEnvironment } from './config.ts';

test('the port that npm start was given is no mistake of lb-mcp', () => {
  expect(configFromEnvironment({ LEBUREAU_MCP_PORT: '17071' }).LEBUREAU_BASE_URL).toBe('http://127.0.0.1:7070');
  expect(() => configFromEnvironment({ LEBUREAU_MCP_PROT: '1' })).toThrow('LEBUREAU_MCP_PROT');
});
