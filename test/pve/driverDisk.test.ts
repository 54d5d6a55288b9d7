import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findReference } from './api/reference.ts';
import { openDriverWorld, spec, vmRef, type DriverWorld } from './driverWorld.ts';

describe.skipIf(findReference() === undefined)('the disk of a node of Proxmox VE', () => {
  let world: DriverWorld;
  beforeEach(async () => {
    world = await openDriverWorld({ version: '9.2' });
  });
  afterEach(async () => {
    world.driver.close();
    await world.close();
  });

  test('is held by desktops with their sizes, together with no more than the storage has in use', async () => {
    expect((await world.driver.facts()).diskHeldMiB).toEqual({});
    await world.driver.clone(spec);
    const facts = await world.again().facts();
    const { usedMiB } = await usedOf(world);
    expect(Object.keys(facts.diskHeldMiB)).toEqual([vmRef]);
    expect(facts.diskHeldMiB[vmRef]).toBe(Math.min(spec.diskGiB * 1024, Math.floor(usedMiB)));
    expect(facts.diskFreeMiB).toBeGreaterThan(0);
  });
});

async function usedOf({ double }: DriverWorld): Promise<{ usedMiB: number }> {
  const [vm] = Object.values(double.state.vms).filter((each) => each.config.name === vmRef);
  const storage = String(vm!.config.scsi0).split(':')[0];
  const path = `/api2/json/nodes/${double.node}/storage/${storage}/status`;
  const answer = await fetch(`${double.url}${path}`, { headers: { authorization: `PVEAPIToken=${double.token}` } });
  const { data } = (await answer.json()) as { data: { used: number } };
  return { usedMiB: data.used / 2 ** 20 };
}
