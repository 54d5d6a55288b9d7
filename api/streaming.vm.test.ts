import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NodeDouble, startNodeDouble } from '@lebureau/test/doubles/node';
import { ApiProcess } from './testing/apiProcess.ts';

/** Content passes through the API without staying in it. */

const api = new ApiProcess();
const bytes = 500_000_000;
const growthMaxBytes = 32 * 1_048_576;
let node: NodeDouble;
let path: string;

beforeAll(async () => {
  await api.start();
  const run = join(api.home, 'run');
  node = await startNodeDouble({ apiSocket: join(run, 'api-node.sock'), guestSocket: join(run, 'guest.sock') });
  const { id } = (await (await api.ask('POST', '/v1/desktops', { body: {} })).json()) as { id: string };
  await api.ask('GET', `/v1/desktops/${id}?waitFor=ready`);
  path = `/v1/desktops/${id}/files/content`;
  // What the first transfer loads belongs to the process, not to the transfer.
  await upload(8_000_000);
  await download(8_000_000);
});
afterAll(async () => {
  await node.stop();
  await api.remove();
});

test('500 MB up and down never stand in the process', async () => {
  const before = api.residentBytes();
  let peak = before;
  let looks = 0;
  const looking = setInterval(() => {
    looks += 1;
    peak = Math.max(peak, api.residentBytes());
  }, 20);
  try {
    await upload(bytes);
    expect(node.guest.uploadedBytes).toBe(bytes);
    expect(await download(bytes)).toBe(bytes);
  } finally {
    clearInterval(looking);
  }
  process.stdout.write(`grew by at most ${Math.round((peak - before) / 1_048_576)} MiB\n`);
  expect(looks).toBeGreaterThan(10);
  expect(peak - before).toBeLessThanOrEqual(growthMaxBytes);
});

test('a reader that stalls holds the sender back', async () => {
  const before = api.residentBytes();
  const response = await api.ask('GET', `${path}?path=${bytes}`);
  const reader = response.body!.getReader();
  await reader.read();
  await Bun.sleep(2000);
  expect(api.residentBytes() - before).toBeLessThanOrEqual(growthMaxBytes);
  await reader.cancel();
});

test('a call costs little more than the node takes', async () => {
  const through = await median(() =>
    api.ask('POST', path.replace('/files/content', '/exec'), { body: { command: 'true' } }),
  );
  const bare = await median(() => fetch(`${api.url}/healthz`));
  expect(through - bare).toBeLessThan(100);
});

async function upload(size: number): Promise<void> {
  const answer = await fetch(`${api.url}${path}?path=big`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${api.secret}` },
    body: chunks(size),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

async function download(size: number): Promise<number> {
  let received = 0;
  const response = await api.ask('GET', `${path}?path=${size}`);
  for await (const chunk of response.body!) received += (chunk as Uint8Array).length;
  return received;
}

function chunks(size: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(262_144);
  let left = size;
  return new ReadableStream({
    pull(controller) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      controller.enqueue(part);
      if (left === 0) controller.close();
    },
  });
}

async function median(call: () => Promise<Response>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    const beganMs = performance.now();
    await (await call()).arrayBuffer();
    times.push(performance.now() - beganMs);
  }
  return times.toSorted((a, b) => a - b)[150]!;
}
