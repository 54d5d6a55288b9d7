import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isolated, runCommand } from './command.ts';

const root = process.geteuid?.() === 0;

test.skipIf(!root)(
  `an aborted program leaves neither a mount nor a process, even one in a session of its own${root ? '' : ' (needs root)'}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lb-command-'));
    const marker = `34${Math.floor(Math.random() * 1e6)}`;
    const abort = new AbortController();
    const script = `mount -t tmpfs none "$1" && setsid sleep ${marker} & sleep 0.2; echo ready; wait`;
    const running = runCommand(isolated(['sh', '-c', script, 'sh', folder]), {
      signal: abort.signal,
      timeoutMs: 10_000,
      onLine: () => abort.abort(new Error('enough')),
    });
    await expect(running).rejects.toThrow('enough');
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(folder);
    await expect(
      runCommand(['pgrep', '-f', `^sleep ${marker}`], { signal: AbortSignal.timeout(5000), timeoutMs: 5000 }),
    ).rejects.toThrow('code 1');
    rmdirSync(folder);
  },
);

test('a failure says what the program said last', async () => {
  const running = runCommand(['sh', '-c', 'echo reason >&2; exit 3'], {
    signal: AbortSignal.timeout(5000),
    timeoutMs: 5000,
  });
  await expect(running).rejects.toMatchObject({ code: 'needs_operator', message: expect.stringContaining('reason') });
});

test('a missing program and one that takes too long are told', async () => {
  const options = { signal: AbortSignal.timeout(5000), timeoutMs: 200 };
  await expect(runCommand(['no-such-program'], options)).rejects.toThrow('is its package installed?');
  await expect(runCommand(['sleep', '60'], options)).rejects.toThrow('did not end within');
});
