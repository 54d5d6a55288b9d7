import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../freePort.ts';
import { call, createReady, type Service, startService, vmSkipReason } from '../system/product.ts';
import { type CodeBlock, codeBlocks } from './codeBlocks.ts';
import { wayOf } from './mcpConfigs.ts';
import { reasonNotToRun } from './notRun.ts';
import { tsProgram } from './tsProgram.ts';

/** Every block of code of the documents that can run, as a reader would run it: on the whole service, with real VMs. */

const skip = vmSkipReason();
const root = join(import.meta.dirname, '..', '..');
const runnable = codeBlocks.filter((block) => reasonNotToRun(block) === undefined);
const at = ({ document, line }: CodeBlock) => `${document}:${line}`;
const limitMs = 120_000;

describe.skipIf(skip !== undefined)(`code in documents ${skip ?? ''}`, () => {
  let service: Service;
  let folder: string;
  let environment: Record<string, string>;

  beforeAll(async () => {
    service = await startService({ programs: ['api', 'hostd', 'mcp', 'gateway'], nodePort: await freePort() });
    // Below a folder of packages, so that imports are found and no other test sees the files.
    folder = mkdtempSync(join(root, 'test', 'node_modules', '.documents-'));
    writeFileSync(join(folder, 'big.iso'), 'large');
    const { id } = await createReady(service);
    // For the stream of a port.
    const command = 'nohup python3 -m http.server 8080 >/dev/null 2>&1 &';
    await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
    const { PATH = '' } = process.env;
    environment = {
      PATH,
      HOME: folder,
      DESKTOP_ID: id,
      LEBUREAU_BASE_URL: service.baseUrl,
      LEBUREAU_API_KEY: service.apiKey,
    };
  });
  afterAll(async () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    await service?.close();
  });

  /** Places and addresses of a usual installation are those of this one. */
  function here(code: string): string {
    return code
      .replaceAll('/var/lib/lebureau', service.home)
      .replaceAll('/var/backups', join(folder, 'backups'))
      .replaceAll('http://127.0.0.1:7070', service.baseUrl)
      .replaceAll('https://desk.example.org', service.publicUrl)
      .replaceAll('YOUR_API_KEY', service.apiKey)
      .replaceAll('/path/to/lebureau', root);
  }

  const shell = Object.groupBy(
    runnable.filter(({ language }) => language === 'sh'),
    ({ document }) => document,
  );
  test.each(Object.keys(shell))('shell of %s', async (document) => {
    // One shell for a document: what its blocks set, later ones use. A refused request is a failure.
    const script = [
      'set -euo pipefail',
      'curl() { command curl --fail-with-body --max-time 60 "$@"; }',
      ...shell[document]!.flatMap((block) => [`echo '# ${at(block)}' >&2`, here(block.code)]),
    ].join('\n');
    const { code, output } = await run(['bash', '-c', script]);
    expect(code, output).toBe(0);
    if (script.includes('uname')) expect(output).toContain('Linux');
  });

  test('TypeScript is well typed', async () => {
    const blocks = codeBlocks.filter(({ language }) => language === 'ts');
    for (const block of blocks)
      writeFileSync(join(folder, fileOf(block)), tsProgram({ ...block, code: here(block.code) }));
    const config = { extends: join(root, 'tsconfig.json'), files: blocks.map(fileOf), include: [], exclude: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { code, output } = await run([process.execPath, '--bun', join(root, 'node_modules/.bin/tsc'), '-p', folder]);
    expect(code, output).toBe(0);
  });

  test.each(runnable.filter(({ language }) => language === 'ts').map((block) => ({ where: at(block), block })))(
    'TypeScript of $where runs',
    async ({ block }) => {
      const { code, output } = await run([process.execPath, join(folder, fileOf(block))]);
      expect(code, output).toBe(0);
      if (block.code.includes('uname') && block.code.includes('stdout'))
        expect(output + block.code).toMatch(/Linux|exitCode/);
    },
  );

  const configs = codeBlocks.filter(
    ({ document, language, code }) => document === 'docs/mcp.md' && language !== 'ts' && code.includes('lebureau'),
  );
  test.each(configs.map((block) => ({ where: at(block), block })))('MCP as in $where', async ({ block }) => {
    const way = wayOf({ ...block, code: here(block.code) }, service.apiKey);
    const client = new Client({ name: 'test', version: '1.0.0' });
    await client.connect(
      'url' in way
        ? new StreamableHTTPClientTransport(new URL(way.url), {
            requestInit: { headers: { authorization: way.authorization } },
          })
        : new StdioClientTransport({
            command: way.command === 'bun' ? process.execPath : way.command,
            args: way.args,
            env: { ...way.env, LEBUREAU_BASE_URL: service.baseUrl },
          }),
    );
    expect((await client.listTools()).tools.length).toBeGreaterThan(20);
    await client.close();
  });

  const fileOf = ({ document, line }: CodeBlock) => `${document.replaceAll(/[/.]/g, '-')}-${line}.ts`;

  async function run(command: string[]): Promise<{ code: number | null; output: string }> {
    mkdirSync(join(folder, 'backups'), { recursive: true });
    const child = spawn(command[0]!, command.slice(1), { cwd: folder, env: environment, timeout: limitMs });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, output };
  }
});
