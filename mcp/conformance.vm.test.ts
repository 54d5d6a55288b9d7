import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localhostAllowedHostnames, localhostAllowedOrigins } from '@modelcontextprotocol/server';
import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { refuseAtDoor } from './door.ts';
import { Endpoint } from './endpoint.ts';
import { listen } from './listen.ts';
import { createConformanceServer } from './test/conformanceServer.ts';

/** The runner wants tools by fixed names, so they stand here on the product's own transport code: door, endpoint, listener. */
test('the official conformance runner finds nothing, with every suite', { timeout: 180_000 }, async () => {
  const endpoint = new Endpoint(() => createConformanceServer(), { clock: systemClock, onerror: () => {} });
  const door = { hosts: localhostAllowedHostnames(), origins: localhostAllowedOrigins() };
  const handle = async (request: Request) =>
    refuseAtDoor(request, door) ?? (await endpoint.fetch(request, { owner: 'runner' }));
  const listener = await listen(handle, { host: '127.0.0.1', port: 0 });
  const folder = await mkdtemp(join(tmpdir(), 'lebureau-conformance-'));
  try {
    const url = `http://127.0.0.1:${listener.port}/mcp`;
    const runner = join(import.meta.dirname, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
    const { code, output } = await run(process.execPath, [
      runner,
      'server',
      '--url',
      url,
      '--suite',
      'all',
      '-o',
      folder,
    ]);
    expect(code, output).toBe(0);
    const [, passed, failed, warnings] = /Total: (\d+) passed, (\d+) failed(?:, (\d+) warnings)?/.exec(output) ?? [];
    expect([Number(failed), Number(warnings ?? 0)], output).toEqual([0, 0]);
    expect(Number(passed)).toBeGreaterThanOrEqual(40);
  } finally {
    await endpoint.close();
    await listener.close(0);
    await rm(folder, { recursive: true });
  }
});

function run(command: string, args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
