import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { newId } from '@lebureau/kit/id';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bash, exec, python } from './exec.ts';
import { followProcess, type ProcessEvent } from './follow.ts';
import { type NativeInit, nativeInitLacks, startNativeInit } from './nativeInit.ts';
import {
  deleteProcess,
  getProcess,
  listProcesses,
  readProcessOutput,
  signalProcess,
  startProcess,
} from './processes.ts';

const lacks = nativeInitLacks();
const call = { clock: systemClock };

describe.skipIf(lacks !== undefined)(`shell over the real init program${lacks ? ` (${lacks})` : ''}`, () => {
  let init: NativeInit;
  beforeAll(async () => {
    init = await startNativeInit();
  });
  afterAll(() => init.stop());

  const until = async (check: () => Promise<boolean>) => {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await check()) return;
      await systemClock.sleep(25);
    }
    throw new Error('it did not happen within five seconds');
  };
  const isGone = (mark: string) => async () => {
    try {
      execFileSync('pgrep', ['-f', mark]);
      return false;
    } catch {
      return true;
    }
  };

  test('exec tells output, exit code, signal, user and environment', async () => {
    const result = await exec(
      init.channel,
      { command: 'echo "$GREETING $(id -un)"; echo bad >&2; cat; exit 3', env: { GREETING: 'hé' }, stdin: 'in' },
      call,
    );
    expect(result).toMatchObject({
      stdout: 'hé nobody\nin',
      stderr: 'bad\n',
      exitCode: 3,
      timedOut: false,
      truncated: false,
    });
    expect((await exec(init.channel, { command: 'id -un', user: 'root' }, call)).stdout).toBe('root\n');
    expect((await exec(init.channel, { command: 'kill -TERM $$' }, call)).exitCode).toBe(143);
  });

  test('exec cuts output, replaces what is not UTF-8, and keeps a byte order mark', async () => {
    const cut = await exec(init.channel, { command: 'yes | head -c 5000', outputMaxBytes: 100 }, call);
    expect([cut.stdout.length, cut.truncated]).toEqual([100, true]);
    expect((await exec(init.channel, { command: String.raw`printf '\357\273\277a\377b'` }, call)).stdout).toBe(
      '\uFEFFa\uFFFDb',
    );
  });

  test('exec ends the whole session when time is up or the caller goes away', async () => {
    const late = await exec(init.channel, { command: 'sleep 7101 & sleep 7102', timeoutSeconds: 0.3 }, call);
    expect(late).toMatchObject({ timedOut: true, exitCode: 137 });
    await until(isGone('sleep 710[12]'));
    const away = new AbortController();
    const running = exec(init.channel, { command: 'sleep 7103 & sleep 7104' }, { ...call, signal: away.signal });
    await until(async () => !(await isGone('sleep 7104')()));
    away.abort();
    await expect(running).rejects.toThrow('abort');
    await until(isGone('sleep 710[34]'));
  });

  test('a folder that cannot be entered is a fault and no exit code', async () => {
    writeFileSync(join(init.folder, 'plain'), '');
    const at = (cwd: string) => exec(init.channel, { command: 'true', cwd }, call);
    await expect(at('/no/such')).rejects.toMatchObject({ code: 'file_not_found' });
    await expect(at(join(init.folder, 'plain'))).rejects.toMatchObject({ code: 'not_a_directory' });
    await expect(at('a\0b')).rejects.toMatchObject({ code: 'invalid_path' });
    await expect(exec(init.channel, { command: 'a\0b' }, call)).rejects.toMatchObject({ code: 'invalid_request' });
    const own = await exec(
      init.channel,
      { command: 'echo "x: No such file or directory" >&2; exit 127', cwd: '/' },
      call,
    );
    expect(own.exitCode).toBe(127);
  });

  test.each(['short', 'long'])('bash and python run a %s source and leave stdin to it', async (kind) => {
    const filler = kind === 'long' ? `# ${'é'.repeat(200_000)}\n` : '';
    const script = `${filler}set -o pipefail\nread -r line; [[ $line == one ]] && echo "got $line"; cat`;
    expect(await bash(init.channel, { script, stdin: 'one\ntwo' }, call)).toMatchObject({
      stdout: 'got one\ntwo',
      stderr: '',
      exitCode: 0,
    });
    const code = `${filler}import sys\nprint(sys.stdin.read()[::-1], sys.argv[1:])\nraise SystemExit(4)`;
    expect(await python(init.channel, { code, stdin: 'añb' }, call)).toMatchObject({
      stdout: 'bña []\n',
      stderr: '',
      exitCode: 4,
    });
    const command = `${filler}cat; echo " $0"`;
    const plain = await exec(init.channel, { command, stdin: 'x' }, call);
    expect(plain.stdout).toMatch(/^x \S+\n$/);
  });

  test('a long command outlives the connection, is read later, and is forgotten when deleted', async () => {
    const started = await startProcess(
      init.channel,
      {
        command: 'echo one; echo two >&2; read x; echo "$x"; sleep 0.5; echo end; exit 5',
        stdin: 'typed\n',
        env: { A: 'b' },
      },
      call,
    );
    expect(started).toMatchObject({ status: 'running', user: 'agent', exitCode: null, truncated: false });
    const channel = await init.reconnect();
    await until(async () => (await getProcess(channel, started.processId)).status === 'exited');
    const ended = await getProcess(channel, started.processId);
    expect(ended).toMatchObject({ exitCode: 5, stdoutBytes: 14, stderrBytes: 4 });
    expect(Date.parse(ended.endedAt!)).toBeGreaterThanOrEqual(Date.parse(ended.startedAt));
    expect(await readProcessOutput(channel, started.processId, {})).toEqual({
      data: 'one\ntyped\nend\n',
      offset: 0,
      nextOffset: 14,
      ended: true,
    });
    expect(
      await readProcessOutput(channel, started.processId, { stream: 'stderr', offset: 1, maxBytes: 2 }),
    ).toMatchObject({ data: 'wo\n' });
    expect((await listProcesses(channel)).data.map((item) => item.processId)).toContain(started.processId);
    await expect(signalProcess(channel, started.processId, { signal: 'TERM' })).rejects.toMatchObject({
      code: 'wrong_state',
    });
    await deleteProcess(channel, started.processId);
    await expect(getProcess(channel, started.processId)).rejects.toMatchObject({ code: 'not_found' });
    expect(readdirSync(join(init.home, '.local/state/lebureau/processes'))).not.toContain(started.processId);
  });

  test('following tells each stream as it comes, whole characters only, and resumes', async () => {
    const command = String.raw`printf 'a\303'; sleep 0.4; printf '\251b\n'; echo oops >&2; sleep 0.2; printf 'tail\303'`;
    const { processId } = await startProcess(init.channel, { command }, call);
    const events: ProcessEvent[] = [];
    for await (const event of followProcess(init.channel, processId)) events.push(event);
    const textOf = (kind: string, list = events) =>
      list.map((event) => (event.kind === kind && 'data' in event ? event.data : '')).join('');
    expect(textOf('stdout')).toBe('aéb\ntail\uFFFD');
    expect(textOf('stderr')).toBe('oops\n');
    expect(events[0]).toMatchObject({ kind: 'stdout', data: 'a', offset: 0, nextOffset: 1 });
    expect(events.at(-1)).toMatchObject({ kind: 'exit', process: { exitCode: 0, status: 'exited' } });
    const first = events[0]!;
    const rest: ProcessEvent[] = [];
    for await (const event of followProcess(init.channel, processId, { lastEventId: 'id' in first ? first.id : '' }))
      rest.push(event);
    expect(textOf('stdout', rest)).toBe('éb\ntail\uFFFD');
    await deleteProcess(init.channel, processId);
  });

  test('news arrive quickly, and a follower that goes away leaves the command running', async () => {
    const { processId } = await startProcess(init.channel, { command: 'sleep 0.3; date +%s%N; sleep 7105' }, call);
    const away = new AbortController();
    let delayMs = -1;
    const follow = async () => {
      for await (const event of followProcess(init.channel, processId, { signal: away.signal })) {
        if (event.kind !== 'stdout') continue;
        delayMs = systemClock.nowMs() - Number(event.data) / 1e6;
        away.abort();
      }
    };
    await expect(follow()).rejects.toThrow('abort');
    expect(delayMs).toBeGreaterThan(-5);
    // Well below the ten seconds after which it would be looked at without news.
    expect(delayMs).toBeLessThan(3000);
    expect((await getProcess(init.channel, processId)).status).toBe('running');
    const signalled = await signalProcess(init.channel, processId, { signal: 'TERM' });
    expect(signalled.processId).toBe(processId);
    await until(async () => (await getProcess(init.channel, processId)).exitCode === 143);
    await until(isGone('sleep 7105'));
    await deleteProcess(init.channel, processId);
  });

  test('deleting kills all that was started, root reads what is root\u2019s, and a command whose keeper died is lost', async () => {
    const running = await startProcess(
      init.channel,
      { command: 'sleep 7106 & (sleep 7107 &) ; sleep 7108', user: 'root' },
      call,
    );
    expect(running).toMatchObject({ user: 'root', status: 'running' });
    expect(existsSync(join(init.folder, 'root/.local/state/lebureau/processes', running.processId))).toBe(true);
    await deleteProcess(init.channel, running.processId);
    await until(isGone('sleep 710[678]'));

    const orphan = await startProcess(init.channel, { command: 'sleep 7109' }, call);
    const meta = execFileSync('cat', [
      join(init.home, '.local/state/lebureau/processes', orphan.processId, 'meta'),
    ]).toString();
    process.kill(Number(meta.split(' ')[1]), 'SIGKILL');
    await until(async () => (await getProcess(init.channel, orphan.processId)).status === 'lost');
    await deleteProcess(init.channel, orphan.processId);
    await until(isGone('sleep 7109'));
  });

  test('output past the limit is thrown away and said so; the command runs on', async () => {
    const { processId } = await startProcess(
      init.channel,
      { command: 'head -c 70000000 /dev/zero; echo done >&2' },
      call,
    );
    await until(async () => (await getProcess(init.channel, processId)).status === 'exited');
    expect(await getProcess(init.channel, processId)).toMatchObject({
      stdoutBytes: 67_108_864,
      stderrBytes: 5,
      truncated: true,
      exitCode: 0,
    });
    await deleteProcess(init.channel, processId);
  });

  test('records that a program in the guest forged cannot harm', async () => {
    const folder = join(init.home, '.local/state/lebureau/processes');
    const processId = newId('prc', systemClock.nowMs());
    const forge = `mkdir -p ${folder}/${processId} && cd ${folder}/${processId} && printf '%s 1 1 1' "$(cat /proc/sys/kernel/random/boot_id)" >meta && mkfifo stdout && ln -s /etc/shadow command && printf '99999999999 x' >exit`;
    expect((await exec(init.channel, { command: forge }, call)).exitCode).toBe(0);
    await listProcesses(init.channel);
    await expect(getProcess(init.channel, processId)).rejects.toMatchObject({ code: 'guest_unreachable' });
    await deleteProcess(init.channel, processId);
    await expect(getProcess(init.channel, processId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(getProcess(init.channel, '../../etc')).rejects.toMatchObject({ code: 'not_found' });
  });
});
