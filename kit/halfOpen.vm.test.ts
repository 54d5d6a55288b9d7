import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { ServerSocketEnd, type ServerSocketData, serverSocketHandlers } from './serverSocketEnd.ts';

/** The kernel of a machine that hangs still takes bytes; only a ping finds out that nobody is there. */
test('a viewer that hangs without a word is found by pings', { timeout: 40_000 }, async () => {
  const ended = Promise.withResolvers<number>();
  const opened = Promise.withResolvers<void>();
  const server = Bun.serve<ServerSocketData>({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request, it) {
      const end = new ServerSocketEnd();
      end.onOpen(() => {
        end.listen({ bytes: () => {}, text: () => {}, drained: () => {}, closed: (code) => ended.resolve(code) });
        opened.resolve();
      });
      it.upgrade(request, { data: { end } });
      return undefined;
    },
    // The least that the runtime allows, in the place of a minute.
    websocket: { ...serverSocketHandlers, idleTimeout: 8 },
  });
  const script = `new WebSocket('ws://127.0.0.1:${server.port}/'); setInterval(() => {}, 1000);`;
  const viewer = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  try {
    await opened.promise;
    // One that only says nothing stays.
    expect(await Promise.race([ended.promise, Bun.sleep(12_000).then(() => 'open')])).toBe('open');
    viewer.kill('SIGSTOP');
    expect(await ended.promise).not.toBe(1000);
  } finally {
    viewer.kill('SIGKILL');
    await server.stop(true);
  }
});
