import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRig } from './test/rig.ts';

const inspector = join(
  import.meta.dirname,
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);
const bin = join(import.meta.dirname, 'bin.ts');
let rig: Awaited<ReturnType<typeof startRig>>;
let home: string;

beforeAll(async () => {
  rig = await startRig();
  home = await mkdtemp(join(tmpdir(), 'lebureau-inspector-'));
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** The inspector is a program for Node, so Node runs it. */
async function inspect(target: string[], ...more: string[]): Promise<{ out: string; err: string }> {
  const env = { PATH: process.env.PATH, HOME: home };
  const args = [inspector, '--cli', ...target, ...more];
  const { stdout, stderr } = await promisify(execFile)('node', args, { env, timeout: 60_000 });
  return { out: stdout, err: stderr };
}

const targets = {
  stdio: () => [
    process.execPath,
    bin,
    '-e',
    `LEBUREAU_API_KEY=${rig.fake.apiKey}`,
    '-e',
    `LEBUREAU_BASE_URL=${rig.baseUrl}`,
  ],
  http: () => [rig.url, '--transport', 'http', '--header', `Authorization: Bearer ${rig.fake.apiKey}`],
};

test.each(['stdio', 'http'] as const)(
  'the inspector lists and calls over %s, and finds every schema portable',
  async (kind) => {
    const target = targets[kind]();
    const listed = await inspect(target, '--method', 'tools/list', '--strict');
    const { tools } = JSON.parse(listed.out) as { tools: { name: string }[] };
    expect(tools.map((tool) => tool.name)).toContain('desktop_screenshot');
    const called = await inspect(
      target,
      '--method',
      'tools/call',
      '--tool-name',
      'desktops_create',
      '--tool-arg',
      'name=inspected',
    );
    expect(called.out).toContain('is ready');
    expect([...rig.fake.desktops.values()].at(-1)?.data.name).toBe('inspected');
  },
);
