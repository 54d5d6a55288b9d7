import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { connectUnix } from './socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-socket-'));
const real = join(folder, 'real.sock');
const ownerUid = process.getuid?.() ?? 0;
let server: Server;

beforeAll(() => {
  server = createServer((socket) => socket.end('hello'));
  return new Promise<void>((resolve) => {
    server.listen(real, resolve);
  });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const options = { clock: systemClock, timeoutMs: 100 };

test('the own socket is connected to', async () => {
  const socket = await connectUnix(real, { ...options, ownerUid });
  const text = await new Promise((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  expect(text).toBe('hello');
  socket.destroy();
});

test("a link, a plain file and another user's socket are refused", async () => {
  const link = join(folder, 'link.sock');
  symlinkSync(real, link);
  const plain = join(folder, 'plain.sock');
  writeFileSync(plain, '');
  for (const [path, uid] of [
    [link, ownerUid],
    [plain, ownerUid],
    [real, ownerUid + 1],
  ] as const) {
    await expect(connectUnix(path, { ...options, ownerUid: uid })).rejects.toMatchObject({ code: 'guest_unreachable' });
  }
});

test('waiting ends with the time or with the process behind the socket', async () => {
  const missing = join(folder, 'missing.sock');
  await expect(connectUnix(missing, options)).rejects.toMatchObject({ code: 'guest_unreachable' });
  const startMs = systemClock.monotonicMs();
  await expect(connectUnix(missing, { ...options, timeoutMs: 5000, alive: () => false })).rejects.toBeInstanceOf(Error);
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(1000);
});
