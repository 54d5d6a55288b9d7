import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNodeDouble } from '@lebureau/test/doubles/node';

/** The API as a process of its own, killed in the middle of its work. */

let home: string;
let port: number;
let output = '';
let running: ChildProcess | undefined;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lb-crash-'));
  port = await freePort();
});
afterAll(() => {
  running?.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

const settings = () => ({
  LEBUREAU_RATE_LIMITS: 'off',
  LEBUREAU_LOG_LEVEL: 'debug',
  LEBUREAU_QUOTA_DESKTOPS: '100000',
  LEBUREAU_QUOTA_VCPUS: '1000000',
  LEBUREAU_QUOTA_MEMORY_MIB: '1000000000',
  LEBUREAU_QUOTA_DISK_GIB: '100000000',
});

async function start(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { ...process.env, ...settings(), LEBUREAU_HOME: home, LEBUREAU_API_LISTEN: `127.0.0.1:${port}` },
  });
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  running = child;
  for (let i = 0; i < 300; i++) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return child;
    await Bun.sleep(50);
  }
  throw new Error(`The API did not start: ${output}`);
}

const secret = () => readFileSync(join(home, 'api-key'), 'utf8').trim();
const ask = (method: string, path: string, options: { key?: string; body?: unknown } = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${secret()}`,
      ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
  });

test('no acknowledged create is lost and none happens twice, whenever the process is killed', async () => {
  let child = await start();
  const node = await startNodeDouble({
    apiSocket: join(home, 'run', 'api-node.sock'),
    guestSocket: join(home, 'run', 'guest.sock'),
    hello: { vcpus: 10_000, memoryMiB: 10_000_000 },
  });
  const acknowledged = new Map<string, string>();
  let next = 0;
  let over = false;
  /** Sends each create until it is acknowledged, always with the same key: as a client that survives the service. */
  const client = async () => {
    while (!over) {
      const name = `d${next++}`;
      for (;;) {
        const answer = await ask('POST', '/v1/desktops', { key: name, body: { name } }).catch(() => undefined);
        const body =
          answer?.status === 201
            ? ((await answer.json().catch(() => undefined)) as { id: string } | undefined)
            : undefined;
        if (body) {
          acknowledged.set(name, body.id);
          break;
        }
        if (answer?.ok === false) throw new Error(await answer.text());
        await Bun.sleep(20);
      }
    }
  };
  const clients = Array.from({ length: 4 }, client);
  for (let kill = 0; kill < 6; kill++) {
    await Bun.sleep(150 + Math.random() * 300);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    child = await start();
  }
  over = true;
  await Promise.all(clients);
  const listed = new Map<string, string>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = (await (await ask('GET', `/v1/desktops?limit=100${cursor && `&cursor=${cursor}`}`)).json()) as {
      data: { id: string; name: string }[];
      nextCursor: string | null;
    };
    for (const { id, name } of page.data) {
      expect(listed.has(name), `${name} exists twice`).toBe(false);
      listed.set(name, id);
    }
    cursor = page.nextCursor;
  }
  expect(acknowledged.size).toBeGreaterThan(20);
  expect(listed).toEqual(acknowledged);
  await node.stop();
}, 120_000);

test('no secret is in the log or in the database', async () => {
  const made = (await (await ask('POST', '/v1/keys', { body: { name: 'k' } })).json()) as { secret: string };
  await fetch(`http://127.0.0.1:${port}/v1/me`, {
    headers: { authorization: 'Bearer lb_live_seededSecretThatIsNoKey' },
  });
  await fetch(`http://127.0.0.1:${port}/v1/me?apiKey=seededQuerySecret`, {
    headers: { authorization: `Bearer ${made.secret}` },
  });
  await ask('POST', '/v1/desktops', { body: { name: 'x', password: 'seededBodySecret' } });
  const ended = new Promise((resolve) => running!.once('exit', resolve));
  running!.kill('SIGTERM');
  await ended;
  const files = readdirSync(home)
    .filter((name) => name.startsWith('api.db'))
    .map((name) => readFileSync(join(home, name), 'latin1'));
  expect(output).toContain('api started');
  for (const text of [output, ...files]) {
    for (const seeded of [secret(), made.secret, 'seededSecretThatIsNoKey', 'seededQuerySecret', 'seededBodySecret']) {
      expect(text.includes(seeded)).toBe(false);
    }
  }
}, 60_000);

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
