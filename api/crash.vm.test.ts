import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startNodeDouble } from '@lebureau/test/doubles/node';
import { ApiProcess } from './testing/apiProcess.ts';

/** The API is killed in the middle of its work. */

const api = new ApiProcess();
afterAll(() => api.remove());

test('no acknowledged create is lost and none happens twice, whenever the process is killed', async () => {
  await api.start();
  const node = await startNodeDouble({
    apiSocket: join(api.home, 'run', 'api-node.sock'),
    guestSocket: join(api.home, 'run', 'guest.sock'),
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
        const answer = await api.ask('POST', '/v1/desktops', { key: name, body: { name } }).catch(() => undefined);
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
    await api.end('SIGKILL');
    await api.start();
  }
  over = true;
  await Promise.all(clients);
  const listed = new Map<string, string>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = (await (await api.ask('GET', `/v1/desktops?limit=100${cursor && `&cursor=${cursor}`}`)).json()) as {
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
  const made = (await (await api.ask('POST', '/v1/keys', { body: { name: 'k' } })).json()) as { secret: string };
  await fetch(`${api.url}/v1/me`, {
    headers: { authorization: 'Bearer lb_live_seededSecretThatIsNoKey' },
  });
  await fetch(`${api.url}/v1/me?apiKey=seededQuerySecret`, {
    headers: { authorization: `Bearer ${made.secret}` },
  });
  await api.ask('POST', '/v1/desktops', { body: { name: 'x', password: 'seededBodySecret' } });
  await api.end('SIGTERM');
  const files = readdirSync(api.home)
    .filter((name) => name.startsWith('api.db'))
    .map((name) => readFileSync(join(api.home, name), 'latin1'));
  expect(api.output).toContain('api started');
  for (const text of [api.output, ...files]) {
    for (const seeded of [
      api.secret,
      made.secret,
      'seededSecretThatIsNoKey',
      'seededQuerySecret',
      'seededBodySecret',
    ]) {
      expect(text.includes(seeded)).toBe(false);
    }
  }
}, 60_000);
