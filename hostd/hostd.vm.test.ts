import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { isFault } from '@lebureau/kit/fault';
import { expectGuest } from '@lebureau/test/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiDouble } from './crashmatrix/apidouble.ts';
import type { Assignment, NodeHello, Observation, ObservationReport } from './orders.ts';

/** The hostd process as it is, on real VMs; only the API is a double, behind a real socket. */

const templateHome = process.env['LEBUREAU_TEST_HOME'];
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? 'needs root'
    : existsSync(templates)
      ? ''
      : 'LEBUREAU_TEST_HOME names no folder with a template';
const readyLimitMs = 220_000;

const api = new ApiDouble(systemClock);
const home = skip ? '' : mkdtempSync('/var/tmp/lb-hostd-');
let server: Bun.Server<undefined> | undefined;
let hostd: ChildProcess;
let hello: NodeHello | undefined;

/** One that starts warm, where there is one: the test is about hostd, not about booting. */
function templateToUse(): string {
  const all = hello?.templates ?? [];
  return (all.find((template) => template.warmSizes.includes('1x1024')) ?? all[0])?.id ?? '';
}

const order = (body: string, over: Partial<Assignment> = {}): Assignment => ({
  assignmentId: `asg_${body}`,
  desktopId: null,
  vmRef: `lb-${body}`,
  templateId: templateToUse(),
  hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  network: 'none',
  hostName: 'desk-of-test',
  timeZone: 'UTC',
  desired: 'running',
  desiredBoot: 1,
  generation: 1,
  identityVersion: 0,
  cloneSeen: false,
  gracefulStopSeconds: 3,
  config: '{}',
  ...over,
});
const first = '01k9x3v6m8e9t2q4r6s8v0w2y4';
const second = '01k9x3v6m8e9t2q4r6s8v0w2y5';
const seen = (body: string): Observation | undefined => api.row(`asg_${body}`).observed;

function serveApi(): void {
  const desk = api.desk(() => Promise.resolve());
  const handle = async (request: Request): Promise<unknown> => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith('/hello')) {
      hello = (await request.json()) as NodeHello;
      return desk.hello(hello, request.signal);
    }
    if (pathname.endsWith('/observations'))
      return desk.report((await request.json()) as ObservationReport, request.signal);
    const ask = {
      epoch: Number(searchParams.get('epoch')),
      after: searchParams.get('after') ?? undefined,
      waitSeconds: Number(searchParams.get('waitSeconds')),
    };
    return desk.assignments(ask, request.signal);
  };
  server = Bun.serve({
    unix: join(home, 'api.sock'),
    ...({ idleTimeout: 0 } as object),
    fetch: (request) => {
      return handle(request).then(
        (answer) => Response.json(answer),
        (error: unknown) =>
          Response.json({ code: isFault(error) ? error.code : 'internal', detail: String(error) }, { status: 409 }),
      );
    },
  });
}

function startHostd(): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      LEBUREAU_HOME: home,
      LEBUREAU_NODE_NAME: 'node',
      LEBUREAU_API_NODE_ADDRESS: `unix:${join(home, 'api.sock')}`,
      LEBUREAU_LOG_LEVEL: process.env['LEBUREAU_LOG_LEVEL'] ?? 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

function end(process: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    process.once('exit', (code) => resolve(code));
    process.kill(signal);
  });
}

async function until(what: string, isSo: () => boolean, limitMs: number): Promise<void> {
  const began = performance.now();
  while (!isSo()) {
    if (performance.now() - began > limitMs)
      throw new Error(
        `not within ${limitMs} ms: ${what}; seen ${JSON.stringify([...api.rows.values()].map((row) => row.observed))}`,
      );
    await Bun.sleep(10);
  }
}

function qemuOf(body: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return words.includes('qemu-system') && words.includes(body);
      } catch {
        return false;
      }
    });
}

async function call(body: string, path: string, init: RequestInit = {}): Promise<Response> {
  const url = `http://localhost/guest/asg_${body}${path}`;
  const response = await fetch(url, { ...init, unix: join(home, 'run', 'guest.sock') });
  await expectGuest(response.clone() as Response, init.method ?? 'GET', url);
  return response;
}

describe.skipIf(skip !== '')(`hostd on real machines${skip === '' ? '' : ` (skipped: ${skip})`}`, () => {
  beforeAll(async () => {
    // The users of the VMs pass through it.
    chmodSync(home, 0o711);
    symlinkSync(templates, join(home, 'templates'));
    serveApi();
    hostd = startHostd();
    await until('hello', () => hello !== undefined, 60_000);
  });

  afterAll(async () => {
    for (const { order: each } of api.rows.values()) api.want(each.assignmentId, 'deleted');
    await until('all gone', () => [...api.rows.values()].every((row) => row.gone), 60_000).catch(() => {});
    await end(hostd, 'SIGTERM');
    await server?.stop(true);
    rmSync(home, { recursive: true, force: true });
  });

  test('an order becomes a desktop that answers', async () => {
    api.insert(order(first));
    await until('ready', () => seen(first)?.ready === true, readyLimitMs);
    const exec = await call(first, '/exec', {
      method: 'POST',
      body: JSON.stringify({ command: 'hostname; cat /etc/machine-id' }),
    });
    const { stdout } = (await exec.json()) as { stdout: string };
    expect(stdout).toMatch(/^desk-of-test\n[0-9a-f]{32}\n$/);
    const shot = await call(first, '/screenshot');
    expect([shot.status, shot.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(JSON.parse(shot.headers.get('frame') ?? '{}')).toMatchObject({ width: 1280, height: 800 });
  });

  test('files go up and come down over SSH with the derived keys', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const put = await call(first, '/files/content?path=up.bin', { method: 'PUT', body: bytes });
    expect(put.status).toBe(200);
    const got = await call(first, '/files/content?path=up.bin');
    expect(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    expect((await call(first, '/files/content?path=no.bin')).status).toBe(404);
  });

  test('hostd dies by SIGKILL: the desktop keeps running and the next hostd finds it', async () => {
    const before = qemuOf(first);
    expect(before).toHaveLength(1);
    await end(hostd, 'SIGKILL');
    hostd = startHostd();
    let answered = false;
    const deadline = performance.now() + 60_000;
    while (!answered && performance.now() < deadline) {
      // The socket of the dead one refuses, then the new one has not met the guest yet.
      const exec = await call(first, '/exec', { method: 'POST', body: '{"command":"true"}' }).catch(() => undefined);
      answered = exec?.status === 200;
      if (!answered) await Bun.sleep(100);
    }
    expect(answered).toBe(true);
    await until('ready again', () => seen(first)?.ready === true, 30_000);
    expect(qemuOf(first)).toEqual(before);
  });

  test('a second hostd on the same home is refused and disturbs nothing', async () => {
    const other = startHostd();
    expect(await new Promise((resolve) => other.once('exit', resolve))).toBe(78);
    expect((await call(first, '/exec', { method: 'POST', body: '{"command":"true"}' })).status).toBe(200);
  });

  test('a killed QEMU is told as a crash and not restarted until somebody asks', async () => {
    for (const pid of qemuOf(first)) process.kill(pid, 'SIGKILL');
    await until('crashed', () => seen(first)?.fault?.code === 'guest_crashed', 15_000);
    expect(seen(first)).toMatchObject({ power: 'off', ready: false, presence: 'present' });
    await Bun.sleep(4_000);
    expect(qemuOf(first)).toEqual([]);
    expect((await call(first, '/exec', { method: 'POST', body: '{"command":"true"}' })).status).toBe(503);
    api.want(`asg_${first}`, 'restart');
    await until('on its way again', () => seen(first)?.boot === 2 && seen(first)?.power === 'booting', 30_000);
  });

  test('a machine that does not listen is stopped by force within its limit', async () => {
    api.insert(order(second));
    await until('started', () => (seen(second)?.boot ?? 0) === 1, 60_000);
    for (const pid of qemuOf(second)) process.kill(pid, 'SIGSTOP');
    api.want(`asg_${second}`, 'stopped');
    await until('off', () => seen(second)?.power === 'off' && seen(second)?.fault === null, 60_000);
    expect(qemuOf(second)).toEqual([]);
  });

  test('a deleted desktop leaves nothing, and a VM without an order is reported', async () => {
    api.want(`asg_${second}`, 'deleted');
    await until('gone', () => api.row(`asg_${second}`).gone, 30_000);
    expect(existsSync(join(home, 'vms', `lb-${second}`))).toBe(false);
    const row = api.row(`asg_${first}`);
    api.rows.delete(`asg_${first}`);
    await until('reported', () => api.strangers.some((one) => one.vmRef === `lb-${first}`), 70_000);
    expect(qemuOf(first)).toHaveLength(1);
    api.rows.set(`asg_${first}`, row);
  });
});
