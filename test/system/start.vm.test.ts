import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../freePort.ts';
import { type NpmStart, npmStart, untilRunning } from './npmStart.ts';
import { call, templateHome, vmSkipReason, waitFor } from './product.ts';

const skip = vmSkipReason();
const root = join(import.meta.dirname, '..', '..');

describe.skipIf(skip !== undefined)(`npm start, from a clean clone ${skip ?? ''}`, () => {
  let folder: string;
  let home: string;
  const started: NpmStart[] = [];
  let ports: { LEBUREAU_PORT: string; LEBUREAU_MCP_PORT: string };

  beforeAll(async () => {
    ports = { LEBUREAU_PORT: String(await freePort()), LEBUREAU_MCP_PORT: String(await freePort()) };
    folder = mkdtempSync('/var/tmp/lb-clone-');
    execFileSync('chmod', ['711', folder]);
    home = join(folder, 'home');
    mkdirSync(home, { mode: 0o711 });
    symlinkSync(join(templateHome!, 'templates'), join(home, 'templates'));
    execFileSync('git', ['clone', '-q', root, join(folder, 'lebureau')]);
  });
  afterAll(async () => {
    for (const run of started) run.kill();
    await Bun.sleep(200);
    rmSync(folder, { recursive: true, force: true });
  });

  test('prints the way in; Ctrl-C drains; the next start finds the desktop still running', async () => {
    const first = await startUntilReady();
    const key = /lb_live_[0-9A-Za-z]{36}/.exec(first.output())?.[0];
    expect(key, first.output()).toBeDefined();
    expect(first.output()).toContain('mcpServers');
    expect(statSync(join(home, 'api-key')).mode & 0o777).toBe(0o600);
    const mcp = await fetch(`http://127.0.0.1:${ports.LEBUREAU_MCP_PORT}/mcp`);
    expect([mcp.status, mcp.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Bearer')]);
    const service = { baseUrl: `http://127.0.0.1:${ports.LEBUREAU_PORT}`, apiKey: key! };
    const made = await call(service, 'POST', { path: '/v1/desktops', body: { name: 'kept', size: 'nano' } });
    expect(made.status).toBe(201);
    const at = `/v1/desktops/${made.body.id}`;
    expect((await call(service, 'GET', `${at}?waitFor=ready&timeoutSeconds=45`)).body.ready).toBe(true);
    await call(service, 'POST', { path: `${at}/exec`, body: { command: 'echo kept > /dev/shm/memory' } });
    await first.interrupt();
    expect(first.output()).toContain('Draining');

    const beganMs = performance.now();
    const second = await startUntilReady();
    const secondMs = Math.round(performance.now() - beganMs);
    console.log(`second start: ${secondMs} ms until the way in was printed`);
    expect(secondMs).toBeLessThan(30_000);
    expect(second.output()).not.toContain(key);
    await waitFor(
      async () =>
        (await call(service, 'POST', { path: `${at}/exec`, body: { command: 'cat /dev/shm/memory' } })).body.stdout ===
        'kept\n',
      () => second.output(),
    );
    await call(service, 'DELETE', at);
    expect((await call(service, 'GET', `${at}?waitFor=destroyed&timeoutSeconds=45`)).body.status).toBe('destroyed');
    await second.interrupt();
    expect(second.output()).toContain('Draining');
  });

  test('a taken port and a folder that cannot be used: one sentence, the way out, nothing left behind', async () => {
    const blocker = createServer().listen(Number(ports.LEBUREAU_PORT), '127.0.0.1');
    const taken = launch({});
    expect(await taken.ended).toBe(1);
    expect(taken.output()).toContain('LEBUREAU_PORT=');
    blocker.close();
    const unusable = launch({ LEBUREAU_HOME: '/proc/lebureau' });
    expect(await unusable.ended).toBe(1);
    expect(unusable.output()).toContain('LEBUREAU_HOME');
    expect(unusable.output()).not.toMatch(/\n\s+at /);
    const misspelt = launch({ LEBUREAU_PROT: '7070' });
    expect(await misspelt.ended).toBe(1);
    expect(misspelt.output()).toContain('LEBUREAU_PROT is not a variable');
  });

  test('what a program refuses ends the start at once, with its own words', async () => {
    const refused = launch({ LEBUREAU_EFFECTS_MAX: '0' });
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/hostd refuses its configuration: LEBUREAU_EFFECTS_MAX: wants a whole number/);
  });

  async function startUntilReady() {
    const run = launch({});
    await untilRunning(run);
    return run;
  }

  function launch(environment: Record<string, string>) {
    // What waits in a pool would outlive the test, as every machine outlives the service.
    const pool = { LEBUREAU_POOL_MEMBERS_MAX: '0' };
    const run = npmStart(join(folder, 'lebureau'), { LEBUREAU_HOME: home, ...pool, ...ports, ...environment });
    started.push(run);
    return run;
  }
});
