import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { ask, ended } from './client.ts';
import { openPveDouble, type PveDouble } from './double.ts';
import { loginRfb } from './guest/rfbLogin.ts';
import { openMachinesQemu, type MachinesQemu } from './vm/machinesQemu.ts';

const templateHome = process.env['LEBUREAU_TEST_HOME'];
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? 'needs root'
    : findReference() === undefined
      ? 'needs shared/reference'
      : existsSync(templates)
        ? ''
        : 'LEBUREAU_TEST_HOME names no folder with a template';

const home = skip ? '' : mkdtempSync('/var/tmp/lb-pve-');
let machines: MachinesQemu;
let double: PveDouble;
const vm = '/nodes/pve1/qemu/4101';

describe.skipIf(skip !== '')(`the double with real VMs behind it ${skip}`, () => {
  beforeAll(async () => {
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    machines = await openMachinesQemu({ home, clock: systemClock, log: silentLog, templateVmid: 9001 });
    const nodes = ['pve1', 'pve2'];
    double = await openPveDouble({ version: '9.2', machines, nodes, file: join(home, 'state.json') });
  });

  afterAll(async () => {
    await double.close();
    rmSync(home, { recursive: true });
  });

  test('a clone boots and its agent answers', async () => {
    const form = { newid: '4101', name: 'desk-1', full: '0', pool: 'desks' };
    expect(await ended(double, await ask(double, 'POST /nodes/pve1/qemu/9001/clone', { form }))).toBe('OK');
    expect(await ended(double, await ask(double, `POST ${vm}/status/start`), 60_000)).toBe('OK');
    await expect.poll(async () => (await ask(double, `POST ${vm}/agent/ping`)).status, { timeout: 60_000 }).toBe(200);
    const os = (await ask(double, `GET ${vm}/agent/get-osinfo`)).data as { result: { id: string } };
    expect(os.result.id).toBe('debian');
  });

  test('a command runs in the guest', async () => {
    const form = new URLSearchParams([
      ['command', '/bin/sh'],
      ['command', '-c'],
      ['command', 'cat; uname -s; echo oops >&2; exit 7'],
      ['input-data', 'hello '],
    ]);
    const started = await ask(double, `POST ${vm}/agent/exec?${form.toString()}`);
    const { pid } = started.data as { pid: number };
    const status = async () => (await ask(double, `GET ${vm}/agent/exec-status?pid=${pid}`)).data as object;
    await expect.poll(status, { timeout: 30_000 }).toMatchObject({ exited: 1 });
  });

  test('files are written and read back, and a missing one is refused in the agent’s words', async () => {
    const form = { file: '/tmp/from-pve', content: 'zwölf\n' };
    expect((await ask(double, `POST ${vm}/agent/file-write`, { form })).status).toBe(200);
    const read = await ask(double, `GET ${vm}/agent/file-read?file=/tmp/from-pve`);
    expect(read.data).toEqual({ content: 'zwölf\n', 'bytes-read': 6 });
    const missing = await ask(double, `GET ${vm}/agent/file-read?file=/no/such`);
    expect(missing.reason).toContain("Agent error: failed to open file '/no/such'");
  });

  test('the screen comes over vncwebsocket behind the ticket’s password', async () => {
    const proxy = await ask(double, `POST ${vm}/vncproxy`, { form: { websocket: '1' } });
    const screen = await loginRfb(double, vm, proxy.data as { port: string; ticket: string; password: string });
    expect(screen).toMatchObject({ width: 1280, height: 800 });
    // A ticket opens once.
    await expect(
      loginRfb(double, vm, proxy.data as { port: string; ticket: string; password: string }),
    ).rejects.toThrow('401');
  });

  test('hibernate and resume keep what runs', async () => {
    expect(await ended(double, await ask(double, `POST ${vm}/status/suspend?todisk=1`), 20_000)).toBe('OK');
    expect((await ask(double, `GET ${vm}/status/current`)).data).toMatchObject({
      status: 'stopped',
      lock: 'suspended',
    });
    expect(await ended(double, await ask(double, `POST ${vm}/status/start`), 20_000)).toBe('OK');
    const read = await ask(double, `GET ${vm}/agent/file-read?file=/tmp/from-pve`);
    expect(read.data).toMatchObject({ 'bytes-read': 6 });
  });

  test('a migration there and back leaves the guest as it is', async () => {
    const { storages, roles } = double.state;
    storages.local!.shared = true;
    roles.DeskPool!.push('VM.Migrate');
    const there = vm.replace('pve1', 'pve2');
    const move = async (from: string, target: string) =>
      ended(double, await ask(double, `POST ${from}/migrate`, { form: { target, online: '1' } }), 20_000);
    expect(await move(vm, 'pve2')).toBe('OK');
    expect((await ask(double, `GET ${vm}/status/current`)).status).toBe(500);
    const read = await ask(double, `GET ${there}/agent/file-read?file=/tmp/from-pve`);
    expect(read.data).toMatchObject({ 'bytes-read': 6 });
    expect(await move(there, 'pve1')).toBe('OK');
    expect((await ask(double, `GET ${vm}/status/current`)).data).toMatchObject({ status: 'running' });
    storages.local!.shared = false;
  });

  test('a double that is killed and opened again finds its VMs running', async () => {
    await double.kill();
    const { certificates } = double;
    double = await openPveDouble({ version: '9.2', machines, file: join(home, 'state.json'), certificates });
    expect((await ask(double, `GET ${vm}/status/current`)).data).toMatchObject({ status: 'running' });
    expect((await ask(double, `GET ${vm}/agent/file-read?file=/tmp/from-pve`)).data).toMatchObject({ 'bytes-read': 6 });
    const { data } = await ask(double, `GET ${vm}/status/current`);
    expect((data as { mem: number }).mem).toBeGreaterThan(10_000_000);
  });

  test('the guest’s own power-off is noticed', async () => {
    const form = new URLSearchParams([
      ['command', '/bin/sh'],
      ['command', '-c'],
      ['command', 'systemctl poweroff'],
    ]);
    await ask(double, `POST ${vm}/agent/exec?${form.toString()}`);
    const status = async () => (await ask(double, `GET ${vm}/status/current`)).data;
    await expect.poll(status, { timeout: 60_000, interval: 500 }).toMatchObject({ status: 'stopped' });
  });

  test('stops, is deleted, and the template refuses while it is used', async () => {
    const refused = await ended(double, await ask(double, 'DELETE /nodes/pve1/qemu/9001'));
    expect(refused).toContain('is still in use by linked cloned');
    await expect
      .poll(async () => ended(double, await ask(double, `POST ${vm}/status/stop`), 20_000), { timeout: 60_000 })
      .toBe('OK');
    expect(await ended(double, await ask(double, `DELETE ${vm}?purge=1`), 20_000)).toBe('OK');
  });
});
