import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call, createReady, type Service, startService } from './product.ts';

/** The end of a key is felt in the desktop, by what it is doing there. */

let service: Service;
let at: string;
let key: { secret: string; id: string };
beforeAll(async () => {
  service = await startService();
  at = `/v1/desktops/${(await createReady(service)).id}`;
});
beforeEach(async () => {
  const body = { name: 'to end', capabilities: ['desktop:control', 'files:read', 'files:write'] };
  const made = await call(service, 'POST', { path: '/v1/keys', body });
  key = { secret: made.body.secret, id: made.body.key.id };
});
afterAll(() => service?.close());

const revoke = () => call(service, 'DELETE', `/v1/keys/${key.id}`);
const asKey = (path: string, body: unknown) =>
  call({ ...service, apiKey: key.secret }, 'POST', { path: at + path, body });
const exec = async (command: string): Promise<string> =>
  (await call(service, 'POST', { path: `${at}/exec`, body: { command } })).body.stdout.trim();
const actions = (...list: object[]) => ({ actions: list, screenshot: false });

test('a command that runs is killed with all that it began', async () => {
  const running = asKey('/exec', { command: 'sleep 4242 & sleep 4242; touch after', timeoutSeconds: 600 });
  await expect.poll(() => exec('pgrep -xc sleep || true'), { timeout: 20_000 }).toBe('2');
  await revoke();
  expect(await running).toMatchObject({ status: 504, body: { code: 'timeout' } });
  await expect.poll(() => exec('pgrep -xc sleep || true'), { timeout: 20_000 }).toBe('0');
  expect(await exec('ls after 2>&1 || true')).toContain('No such file');
});

test('a batch of actions stops before its next action', async () => {
  const far = { action: 'move', x: 700, y: 500 };
  const running = asKey(
    '/actions',
    actions({ action: 'move', x: 10, y: 10 }, { action: 'wait', durationMs: 8000 }, far),
  );
  const other = (list: object) => call(service, 'POST', { path: `${at}/actions`, body: list });
  await Bun.sleep(1000);
  await revoke();
  expect((await running).status).toBe(504);
  // Batches of a desktop run one after the other: this one would come after the whole of the first.
  const cursor = await other(actions({ action: 'cursorPosition' }));
  expect(cursor.body.results[0].result.x).toBeLessThan(50);
});

test('an upload stops, and nothing of it is seen', async () => {
  const begun = Promise.withResolvers<void>();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new Uint8Array(65_536));
      sent += 65_536;
      if (sent > 4_000_000) begun.resolve();
      await Bun.sleep(10);
    },
  });
  const headers = { authorization: `Bearer ${key.secret}` };
  const running = fetch(`${service.baseUrl}${at}/files/content?path=half`, { method: 'PUT', headers, body }).then(
    ({ status }) => status,
    () => 'cut',
  );
  await begun.promise;
  await revoke();
  expect([504, 'cut']).toContain(await running);
  await expect.poll(() => exec('ls -A | grep -c half || true'), { timeout: 20_000 }).toBe('0');
});
