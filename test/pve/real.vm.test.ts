import { afterAll, describe, expect, test } from 'vitest';
import { readHostdConfig } from '@lebureau/hostd/config';
import { runDoctor } from '@lebureau/hostd/doctor/doctor';
import { Display } from '@lebureau/hostd/guest/display/display';
import { openInitChannel } from '@lebureau/hostd/guest/init/client';
import { openProxmoxDriver } from '@lebureau/hostd/hypervisor/proxmox/driver';
import { openSite } from '@lebureau/hostd/hypervisor/proxmox/openSite';
import { systemClock } from '@lebureau/kit/clock';
import { newId } from '@lebureau/kit/id';
import { silentLog } from '@lebureau/kit/log';
import { keysOf, mac } from './driverWorld.ts';

/**
 * A desktop's life on a real Proxmox VE: LEBUREAU_TEST_PVE_URL, and the other LEBUREAU_PVE_… of docs/operations.md in the
 * same way (LEBUREAU_TEST_PVE_NODE, LEBUREAU_TEST_PVE_TOKEN_FILE, …).
 */
const prefix = 'LEBUREAU_TEST_PVE_';
const given = Object.entries(process.env).filter(([name]) => name.startsWith(prefix));

describe.skipIf(given.length === 0)('a real Proxmox VE (needs LEBUREAU_TEST_PVE_URL)', () => {
  const environment = Object.fromEntries(given.map(([name, value]) => [name.replace('TEST_PVE', 'PVE'), value]));
  const settings = () => readHostdConfig({ ...environment, LEBUREAU_DRIVER: 'proxmox' }).proxmox!;
  const parts = () => ({ settings: settings(), clock: systemClock, log: silentLog, keysOf });
  const owner = newId('asg', systemClock.nowMs());
  const vmRef = owner.replace('asg_', 'lb-');
  afterAll(() => (given.length === 0 ? undefined : openProxmoxDriver(parts()).delete(vmRef, owner)));

  test('a desktop lives, shows its screen, answers and goes, and the doctor finds nothing wrong', async () => {
    const driver = openProxmoxDriver(parts());
    const { templates } = await driver.facts();
    const hardware = { vcpus: 1, memoryMiB: 1024, diskGiB: 16 };
    await driver.clone({ vmRef, owner, templateId: templates[0]!.id, ...hardware, network: 'internet' });
    await driver.start(vmRef, { boot: 1, mac });
    const display = new Display({ open: () => driver.openDisplay(vmRef), clock: systemClock, log: silentLog });
    expect((await display.fresh()).width).toBeGreaterThan(100);
    display.close();
    const open = () => driver.openInit(vmRef).catch(() => undefined);
    await expect.poll(open, { timeout: 180_000, interval: 2_000 }).toBeDefined();
    const init = openInitChannel(await driver.openInit(vmRef), systemClock);
    expect(await init.health(10_000)).toMatchObject({ protocol: 1 });
    init.close();
    const lines: string[] = [];
    const siteOf = () => openSite(parts());
    const ask = { siteOf, home: '/nonexistent', argv: [], print: (line: string) => lines.push(line) };
    expect(await runDoctor(ask), lines.join('\n')).toBe(0);
    await driver.kill(vmRef);
    expect(await driver.look(vmRef)).toMatchObject({ power: 'off', offBecause: 'requested' });
    await driver.delete(vmRef, owner);
    expect(await driver.look(vmRef)).toBeUndefined();
    driver.close();
  }, 600_000);
});
