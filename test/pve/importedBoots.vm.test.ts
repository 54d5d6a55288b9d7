import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runDoctor } from '@lebureau/hostd/doctor/doctor';
import { openSite } from '@lebureau/hostd/hypervisor/proxmox/openSite';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { ask, ended } from './client.ts';
import { keysOf, openDriverWorld, type DriverWorld } from './driverWorld.ts';
import { openMachinesQemu, type MachinesQemu } from './vm/machinesQemu.ts';

const templates = join(process.env['LEBUREAU_TEST_HOME'] ?? '/nowhere', 'templates');
const built = existsSync(templates) ? readdirSync(templates) : [];
const skip =
  process.geteuid?.() !== 0
    ? 'needs root'
    : findReference() === undefined
      ? 'needs shared/reference'
      : built.some((name) => existsSync(join(templates, name, 'vmlinuz')))
        ? ''
        : 'LEBUREAU_TEST_HOME names no folder with a template that has a vmlinuz';

describe.skipIf(skip !== '')(`the built template, imported into the double ${skip}`, () => {
  const home = skip ? '' : mkdtempSync('/var/tmp/lb-imported-');
  let machines: MachinesQemu;
  let world: DriverWorld;
  beforeAll(async () => {
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    machines = await openMachinesQemu({ home, clock: systemClock, log: silentLog, templateVmid: 9001 });
    world = await openDriverWorld({ version: '9.2', machines, plain: false });
    world.settings.storage = 'local';
  });
  afterAll(async () => {
    await world.close();
    rmSync(home, { recursive: true });
  });

  test('goes over TLS as a whole, and a linked clone of it answers', async () => {
    const lines: string[] = [];
    const site = openSite({ settings: world.settings, clock: systemClock, log: silentLog, keysOf });
    const print = (line: string) => lines.push(line);
    const code = await runDoctor({ siteOf: () => site, home, argv: ['--import-template'], print });
    expect(code, lines.join('\n')).toBe(0);
    const { double } = world;
    const [template] = world.vms();
    expect(template!.config).toMatchObject({ template: '1', boot: 'order=virtio1' });
    const form = { newid: '4101', name: 'desk-1', full: '0', pool: 'desks' };
    const from = `/nodes/pve1/qemu/${template!.vmid}`;
    expect(await ended(double, await ask(double, `POST ${from}/clone`, { form }))).toBe('OK');
    const vm = '/nodes/pve1/qemu/4101';
    expect(await ended(double, await ask(double, `POST ${vm}/status/start`), 60_000)).toBe('OK');
    await expect.poll(async () => (await ask(double, `POST ${vm}/agent/ping`)).status, { timeout: 60_000 }).toBe(200);
    expect(await ended(double, await ask(double, `DELETE ${from}`))).toContain('is still in use by linked cloned');
  });
});
