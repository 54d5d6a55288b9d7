import { renderUnicodeCompact } from 'uqr';
import { expect, test } from 'vitest';
import { welcomeText } from './welcome.ts';

const welcome = {
  apiAddress: 'http://127.0.0.1:7070',
  mcpAddress: 'http://127.0.0.1:7071',
  dashboardAddress: 'http://localhost:7000',
  ownerLink: 'lbl_secret',
  apiKey: 'lb_live_secret',
  keyFile: '/home/x/api-key',
  first: true,
  running: true,
  mcpCommand: ['/bin/bun', '/x/mcp/main.ts'],
};

test('the first start shows the key and configurations that parse', () => {
  const text = welcomeText(welcome);
  const blocks = text.split('\n\n').filter((block) => block.trim().startsWith('{'));
  const [desktop, code] = blocks.map((block) => JSON.parse(block));
  expect(desktop.mcpServers.lebureau).toEqual({
    command: '/bin/bun',
    args: ['/x/mcp/main.ts'],
    env: { LEBUREAU_BASE_URL: 'http://127.0.0.1:7070', LEBUREAU_API_KEY: 'lb_live_secret' },
  });
  expect(code.servers.lebureau.type).toBe('stdio');
});

test('printed again it does not claim that anything runs', () => {
  const text = welcomeText({ ...welcome, running: false });
  expect(text).toContain('lb_live_secret');
  expect(text).not.toMatch(/is running|Ctrl-C/);
});

test('later starts never show it', () => {
  expect(welcomeText({ ...welcome, first: false })).not.toContain('lb_live_secret');
});

test('the link that signs the first owner in is shown until there is one', () => {
  expect(welcomeText(welcome)).toContain('http://localhost:7000/sign-in/link#lbl_secret');
  expect(welcomeText({ ...welcome, ownerLink: undefined })).toContain('Dashboard  http://localhost:7000\n');
});

test('on the local network it shows the link as a picture and the fingerprint', () => {
  const lan = {
    publicOrigin: 'https://192.168.1.7:7000',
    fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
  };
  const text = welcomeText({ ...welcome, lan });
  expect(text).toContain('https://192.168.1.7:7000/sign-in/link#lbl_secret');
  expect(text.replaceAll(/\s+/g, '')).toContain('AB:'.repeat(15));
  // The picture is of that link, and not of the one that leads here only.
  for (const line of renderUnicodeCompact('https://192.168.1.7:7000/sign-in/link#lbl_secret').split('\n'))
    expect(text).toContain(line);
});
