import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)('the driver on Proxmox VE %s', (version) => {
  let world: DriverWorld;
  beforeEach(async () => {
    world = await openDriverWorld({ version });
  });
  afterEach(async () => {
    world.driver.close();
    await world.close();
  });

  test('tells what the node is', async () => {
    expect(await world.driver.facts()).toMatchObject({
      hypervisorVersion: `Proxmox VE ${version === '8.4' ? '8.4.21' : '9.2.11'}`,
      vcpus: 16,
      memoryMiB: 65_536,
      network: 'isolated',
      templates: [{ id: spec.templateId, name: 'desktop', warmSizes: [], diskMiB: 1024 }],
    });
  });

  test('lives the life of a desktop', async () => {
    const { driver } = world;
    expect(await driver.look(vmRef)).toBeUndefined();
    await driver.clone(spec);
    const [vm] = world.vms();
    expect(vm!.config).toMatchObject({ name: vmRef, cores: '2', memory: '2048', ciuser: 'agent' });
    expect(vm!.config.scsi0).toContain('size=8G');
    expect(await driver.look(vmRef)).toMatchObject({ vmRef, owner, complete: true, power: 'off', boot: 0 });
    await driver.start(vmRef, { boot: 1, mac });
    expect(vm!.config.net0).toContain(mac.toUpperCase());
    expect(await driver.look(vmRef)).toMatchObject({ power: 'running', boot: 1, startMode: 'cold' });
    await driver.start(vmRef, { boot: 1, mac });
    await driver.requestStop(vmRef);
    await expect.poll(() => world.again().look(vmRef)).toMatchObject({ power: 'off', offBecause: 'requested' });
    await driver.start(vmRef, { boot: 2, mac });
    expect(await driver.list()).toMatchObject([{ vmRef, owner, complete: true, power: 'running', boot: 2 }]);
    await driver.kill(vmRef);
    await driver.kill(vmRef);
    expect(await driver.look(vmRef)).toMatchObject({ power: 'off', boot: 2, offBecause: 'requested' });
    await expect(driver.delete(vmRef, 'asg_other')).rejects.toMatchObject({ code: 'not_ours' });
    await driver.delete(vmRef, owner);
    await driver.delete(vmRef, owner);
    expect(world.vms()).toEqual([]);
    expect(await driver.look(vmRef)).toBeUndefined();
  });
});
