import { execFileSync } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fake } from './testing/fake.ts';

/** The package as others get it: packed by npm, unpacked into an empty project, and used by what they have. */

const project = mkdtempSync(join(tmpdir(), 'lebureau-sdk-'));
const fake = new Fake();
const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
let environment: Record<string, string>;

const program = `
import { LeBureau } from '@lebureau/sdk';
import { ApiError, NotFoundError } from '@lebureau/sdk/errors';
import { anthropic } from '@lebureau/sdk/agents';
import { toBatch } from '@lebureau/sdk/agents/anthropic';
import { Fake } from '@lebureau/sdk/testing';

const bureau = new LeBureau();
const desktop = await bureau.desktops.create({ ephemeral: true });
await desktop.wait();
const picture = await desktop.computer.screenshot();
const calls = [{ name: 'left_click', input: { coordinate: [1, 2] } }];
const { completed } = await desktop.computer.actions(toBatch(calls, picture.frame));
if (anthropic.toBatch !== toBatch) throw new Error('agents and agents/anthropic differ');
const { sha256 } = await desktop.files.write('/tmp/a', new Blob(['abc']).stream());
const missing = await bureau.desktops.get('dsk_0').catch((error) => error);
const inMemory = await new Fake().client().me();
await desktop[Symbol.asyncDispose]();
console.log(JSON.stringify([completed, sha256.slice(0, 8), missing instanceof NotFoundError && missing instanceof ApiError, inMemory.role]));
`;
const expected = [1, 'ba7816bf', true, 'owner'];

beforeAll(async () => {
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts')], { stdio: 'inherit' });
  const packed = execFileSync(
    'npm',
    ['pack', '--json', '--pack-destination', project, join(import.meta.dirname, 'dist')],
    {
      encoding: 'utf8',
      cwd: project,
    },
  );
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '@lebureau', 'sdk'), { recursive: true });
  execFileSync('tar', [
    '-xzf',
    join(project, filename),
    '--strip-components=1',
    '-C',
    join(modules, '@lebureau', 'sdk'),
  ]);
  // The one dependency and what it needs come from this tree, so that the test needs no network.
  const fetcher = join(import.meta.dirname, 'node_modules', 'openapi-fetch');
  symlinkSync(fetcher, join(modules, 'openapi-fetch'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  writeFileSync(join(project, 'program.mjs'), program);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  environment = {
    PATH: process.env.PATH ?? '',
    LEBUREAU_API_KEY: fake.apiKey,
    LEBUREAU_BASE_URL: `http://127.0.0.1:${port}`,
  };
});
afterAll(() => {
  server.close();
  rmSync(project, { recursive: true });
});

async function run(command: string, ...args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(command, args, { cwd: project, env: environment, timeout: 30_000 });
  return JSON.parse(stdout);
}

test('plain Node runs it', async () => {
  expect(await run('node', 'program.mjs')).toEqual(expected);
});

test('Bun runs it', async () => {
  expect(await run(process.execPath, 'program.mjs')).toEqual(expected);
});

test('a bundler makes one file of it, for Node and for browsers, in which nothing of Node is needed', async () => {
  const browser = execFileSync(
    process.execPath,
    ['build', 'program.mjs', '--target', 'browser', '--outfile', 'browser.mjs'],
    {
      cwd: project,
      encoding: 'utf8',
    },
  );
  expect(browser).toContain('browser.mjs');
  expect(readFileSync(join(project, 'browser.mjs'), 'utf8')).not.toMatch(
    /from ?["'](node:)?(fs|http|crypto|stream|buffer)["']/,
  );
  rmSync(join(project, 'node_modules', 'openapi-fetch'));
  expect(await run('node', 'browser.mjs')).toEqual(expected);
  symlinkSync(
    join(import.meta.dirname, 'node_modules', 'openapi-fetch'),
    join(project, 'node_modules', 'openapi-fetch'),
  );
});

test('TypeScript finds the types, and holds callers to the contract', () => {
  const check = (source: string) => {
    writeFileSync(join(project, 'check.ts'), source);
    const tsc = join(import.meta.dirname, '..', 'node_modules', '.bin', 'tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'esnext,dom,dom.asynciterable',
      '--types',
      '',
    ];
    try {
      execFileSync(process.execPath, ['--bun', tsc, ...options, 'check.ts'], { cwd: project, encoding: 'utf8' });
      return '';
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const start = "import { LeBureau } from '@lebureau/sdk';\nconst d = new LeBureau().desktop('x');\n";
  expect(check(`${start}const n: Promise<number> = d.exec('true').then((r) => r.exitCode);\nvoid n;`)).toBe('');
  expect(check(`${start}void d.computer.click({ x: 'left' });`)).toContain('TS2322');
});

async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const init: RequestInit = { method: incoming.method ?? 'GET', headers: incoming.headers as Record<string, string> };
  if (incoming.method !== 'GET' && incoming.method !== 'HEAD') init.body = Buffer.concat(parts);
  const answer = await fake.fetch(new Request(`http://fake.invalid${incoming.url}`, init));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
}
