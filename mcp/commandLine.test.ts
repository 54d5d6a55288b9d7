import { expect, test } from 'vitest';
import { readCommandLine } from './commandLine.ts';

const config = {
  LEBUREAU_BASE_URL: 'http://127.0.0.1:7070',
  LEBUREAU_API_KEY: '',
  LEBUREAU_MCP_TOOLSETS: 'all',
  LEBUREAU_MCP_READ_ONLY: 'false',
  LEBUREAU_MCP_DESKTOP: '',
  LEBUREAU_MCP_LOCAL_ROOTS: '',
};

test('flags win over variables', () => {
  const line = readCommandLine(['--toolsets', 'exec, files', '--read-only'], {
    ...config,
    LEBUREAU_MCP_TOOLSETS: 'desktops',
  });
  expect([...line.settings.toolsets]).toEqual(['exec', 'files']);
  expect([line.settings.readOnly, line.http]).toEqual([true, undefined]);
  const pinned = readCommandLine([], {
    ...config,
    LEBUREAU_MCP_DESKTOP: `dsk_${'0'.repeat(26)}`,
    LEBUREAU_MCP_LOCAL_ROOTS: '/a:/b',
  });
  expect([pinned.settings.desktopId, pinned.settings.localRoots]).toEqual([`dsk_${'0'.repeat(26)}`, ['/a', '/b']]);
});

test('addresses', () => {
  const at = (...args: string[]) => readCommandLine(['--http', ...args], config).http;
  expect(at()).toEqual({ host: '127.0.0.1', port: 7071 });
  expect(at('8000')).toEqual({ host: '127.0.0.1', port: 8000 });
  expect(at('[::1]:8000')).toEqual({ host: '::1', port: 8000 });
  expect(at('0.0.0.0:0')).toEqual({ host: '0.0.0.0', port: 0 });
});

test.each([
  [['--toolsets', 'exce'], 'There is no toolset "exce"'],
  [['--desktop', '../../etc'], 'is no id of a desktop'],
  [['--http', 'host:99999'], 'is no address'],
  [['8000'], 'is not understood'],
  [['--http', '--local-root', '/'], 'is for stdio'],
  [['--unknown'], 'Unknown option'],
])('%j is refused with a sentence', (args, sentence) => {
  expect(() => readCommandLine(args, config)).toThrow(sentence);
});
