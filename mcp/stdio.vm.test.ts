import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Fake } from '@lebureau/sdk/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Listener, listen } from './listen.ts';
import { call, eras } from './test/rig.ts';

const bin = join(import.meta.dirname, 'bin.ts');
const fake = new Fake();
let api: Listener;
let folder: string;

beforeAll(async () => {
  api = await listen(fake.fetch, { host: '127.0.0.1', port: 0 });
  folder = await mkdtemp(join(tmpdir(), 'lebureau-mcp-'));
});
afterAll(async () => {
  await api.close(0);
  await rm(folder, { recursive: true });
});

async function start(args: string[], options: { era?: (typeof eras)[number]; elicit?: boolean } = {}): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    {
      versionNegotiation: { mode: options.era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
      capabilities: options.elicit ? { elicitation: {} } : {},
    },
  );
  const env = { PATH: '/usr/bin', LEBUREAU_API_KEY: fake.apiKey, LEBUREAU_BASE_URL: `http://127.0.0.1:${api.port}` };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [bin, ...args], env, stderr: 'inherit' }),
  );
  return client;
}

test.each(eras)('a %s client over stdio, asked before something is destroyed', async (era) => {
  const { id } = await fake.client().desktops.create();
  const client = await start(['--toolsets', 'desktops'], { era, elicit: true });
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { confirm: true } }));
  const { tools } = await client.listTools();
  expect(tools.map((tool) => tool.name)).toContain('desktops_delete');
  expect(tools.map((tool) => tool.name)).not.toContain('desktop_click');
  expect((await call(client, 'desktops_delete', { desktopId: id })).text).toContain('is being destroyed');
  expect(fake.desktops.get(id)?.data.status).toBe('destroyed');
  await client.close();
});

test('files of this machine: only below the opened folder, and whole', async () => {
  const { id } = await fake.client().desktops.create();
  const client = await start(['--local-root', folder, '--desktop', id]);
  const bytes = randomBytes(3_000_000);
  await writeFile(join(folder, 'up.bin'), bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const up = await call(client, 'desktop_files_upload', { localPath: 'up.bin', path: '/tmp/up.bin' });
  expect(up.text).toContain(`Uploaded 3000000 bytes to /tmp/up.bin, sha256 ${sha256}.`);
  const down = await call(client, 'desktop_files_download', {
    path: '/tmp/up.bin',
    localPath: join(folder, 'down.bin'),
  });
  expect(down.failed, down.text).toBe(false);
  expect((await readFile(join(folder, 'down.bin'))).equals(bytes)).toBe(true);

  await symlink('/etc', join(folder, 'link'));
  for (const localPath of ['/etc/passwd', '../../etc/passwd', 'link/passwd', join(folder, '..'), 'nothing']) {
    const refused = await call(client, 'desktop_files_upload', { localPath, path: '/tmp/x' });
    expect([localPath, refused.failed]).toEqual([localPath, true]);
  }
  for (const localPath of ['/tmp/lebureau-outside', 'link/lebureau-outside']) {
    const refused = await call(client, 'desktop_files_download', { path: '/tmp/up.bin', localPath });
    expect([localPath, refused.failed]).toEqual([localPath, true]);
  }
  for (const localPath of ['link/..', '..', '.', 'sub/']) {
    const refused = await call(client, 'desktop_files_download', { path: '/tmp/up.bin', localPath });
    expect([localPath, refused.failed, refused.text]).toEqual([
      localPath,
      true,
      expect.stringContaining('is a folder'),
    ]);
  }
  const again = await call(client, 'desktop_files_download', { path: '/tmp/up.bin', localPath: 'down.bin' });
  expect([again.failed, again.text]).toEqual([true, expect.stringContaining('is there already')]);
  await client.close();
});

test('progress comes while a call takes its time', async () => {
  const slow = new Fake({ bootMs: 60_000 });
  const listener = await listen(slow.fetch, { host: '127.0.0.1', port: 0 });
  const { id } = await slow.client().desktops.create();
  const client = new Client({ name: 'test', version: '1.0.0' });
  const env = {
    PATH: '/usr/bin',
    LEBUREAU_API_KEY: slow.apiKey,
    LEBUREAU_BASE_URL: `http://127.0.0.1:${listener.port}`,
  };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [bin], env }));
  const heard: number[] = [];
  await client.callTool(
    { name: 'desktops_wait', arguments: { desktopId: id, timeoutSeconds: 3 } },
    { onprogress: ({ progress }) => heard.push(progress) },
  );
  expect(heard.length).toBeGreaterThan(0);
  expect(heard).toEqual(heard.map((_, at) => at + 1));
  await client.close();
  await listener.close(0);
});
