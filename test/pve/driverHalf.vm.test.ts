import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { vmidsToTry } from '@lebureau/hostd/hypervisor/proxmox/addressing';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';
import { newVm } from './vm/lifecycle.ts';
import type { Config } from './world/state.ts';

/** What lies around when a node lost power, and what the cluster does meanwhile. */
describe.skipIf(findReference() === undefined)('the driver on Proxmox VE, afterwards', () => {
  let world: DriverWorld;
  beforeEach(async () => {
    world = await openDriverWorld({ version: '9.2', nodes: ['pve1', 'pve2'] });
  });
  afterEach(() => world.close());

  const firstId = () => vmidsToTry(vmRef, world.settings.vmids)[0]!;
  const plant = (config: Config, inPool: boolean, node = 'pve1') => {
    const vm = newVm(firstId(), node, config);
    world.double.state.vms[firstId()] = vm;
    if (inPool) world.double.state.pools.desks!.members.push(firstId());
    return vm;
  };
  /** As root's narrow script does it. */
  const unlocks = ({ double }: DriverWorld, vmid: number) => {
    const vm = double.state.vms[vmid];
    if (vm?.config.lock !== 'clone') throw new Error('no cut-off clone');
    delete vm.config.lock;
    const { members } = double.state.pools.desks!;
    if (!members.includes(vmid)) members.push(vmid);
  };
  const withUnlock = async (of = world) => {
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => {
        try {
          unlocks(of, Number(new URL(request.url).pathname.slice(1)));
          return new Response('ok');
        } catch {
          return new Response('no', { status: 500 });
        }
      },
    });
    const command = ['curl', '-sf', `http://127.0.0.1:${server.port}/{vmid}`];
    return { driver: of.again({ unlockCommand: command }), stop: () => server.stop(true) };
  };

  test('a clone that was cut off with its marker is begun anew where root lets us, and told where not', async () => {
    await world.driver.clone(spec);
    const { description } = world.vms()[0]!.config;
    const marked = description!.replace('"complete":true', '"complete":false');
    await world.driver.delete(vmRef, owner);
    plant({ name: vmRef, lock: 'clone', description: marked }, true);
    await expect(world.again().clone(spec)).rejects.toMatchObject({
      code: 'needs_operator',
      extra: { hint: expect.stringContaining(`qm unlock ${firstId()}`) },
    });
    expect(await world.again().look(vmRef)).toMatchObject({ owner, complete: false });
    const { driver, stop } = await withUnlock();
    await driver.clone(spec);
    await stop();
    expect(world.vms()).toHaveLength(1);
    expect(await world.again().look(vmRef)).toMatchObject({ owner, complete: true });
  });

  test('one that nobody can see yet costs its id, or is removed where root lets us', async () => {
    plant({ lock: 'clone', description: ' qmclone temporary file' }, false);
    await world.driver.clone(spec);
    expect(world.vms().map((vm) => vm.vmid)).toContain(firstId() + 1);
    await world.driver.delete(vmRef, owner);
    const { driver, stop } = await withUnlock();
    await driver.clone(spec);
    await stop();
    expect(world.vms().map((vm) => vm.config.name)).toEqual([vmRef]);
  });

  test('an id that another VM holds is passed over, and that VM is never touched', async () => {
    const other = plant({ name: 'customer-database', memory: '512' }, true);
    await world.driver.clone(spec);
    await world.driver.start(vmRef, { boot: 1, mac });
    await world.driver.delete(vmRef, owner);
    expect(world.vms()).toEqual([other]);
    expect(await world.driver.list()).toMatchObject([{ vmRef: 'customer-database', complete: false }]);
    await expect(world.driver.delete('customer-database', owner)).rejects.toMatchObject({ code: 'not_ours' });
    await expect(world.driver.start('customer-database', { boot: 1, mac })).rejects.toMatchObject({ code: 'not_ours' });
  });

  test('a VM that moved to another node is found, watched and removed there', async () => {
    await world.driver.clone(spec);
    await world.driver.start(vmRef, { boot: 1, mac });
    world.vms()[0]!.node = 'pve2';
    const later = world.again();
    expect(await later.look(vmRef)).toMatchObject({ owner, power: 'running', boot: 1 });
    expect(await later.list()).toMatchObject([{ vmRef, owner }]);
    await later.kill(vmRef);
    await later.delete(vmRef, owner);
    expect(world.vms()).toEqual([]);
  });

  test('nothing is called absent by a node without quorum', async () => {
    world.double.state.quorate = false;
    await expect(world.driver.look(vmRef)).rejects.toMatchObject({ code: 'hypervisor_failed' });
    await expect(world.driver.list()).rejects.toMatchObject({ code: 'list_incomplete' });
  });

  test('a node that is away makes its VMs unknown, not gone', async () => {
    await world.driver.clone(spec);
    world.vms()[0]!.node = 'pve2';
    world.double.state.nodes.pve2!.online = false;
    const later = world.again();
    await expect(later.look(vmRef)).rejects.toMatchObject({ code: 'hypervisor_failed' });
    await expect(later.list()).rejects.toMatchObject({ code: 'list_incomplete' });
  });

  test('a full storage, a missing template and a revoked token are told as what they are', async () => {
    const { state } = world.double;
    await expect(world.driver.clone({ ...spec, templateId: `tpl_${'0'.repeat(26)}` })).rejects.toMatchObject({
      code: 'template_missing',
    });
    const free = state.storages.local!.otherBytes;
    state.storages.local!.otherBytes = state.storages.local!.totalBytes;
    await expect(world.driver.clone(spec)).rejects.toMatchObject({ code: 'disk_full' });
    state.storages.local!.otherBytes = free;
    await world.driver.clone(spec);
    state.tokens['desk@pve!t1']!.revoked = true;
    await expect(world.again().start(vmRef, { boot: 1, mac })).rejects.toMatchObject({ code: 'needs_operator' });
  });

  test('who switched it off is told as far as Proxmox VE tells', async () => {
    await world.driver.clone(spec);
    await world.driver.start(vmRef, { boot: 1, mac });
    const vm = world.vms()[0]!;
    await world.double.machines.powerdown(vm.vmid);
    await expect.poll(() => world.again().look(vmRef)).toMatchObject({ power: 'off', offBecause: 'guest' });
    world.double.state.nodes.pve1!.bootedAtMs = Date.now() - 10_000;
    for (const task of Object.values(world.double.state.tasks)) task.starttime -= 60;
    expect(await world.again().look(vmRef)).toMatchObject({ power: 'off', offBecause: 'crashed' });
  });

  test('a start that never ran may be repeated with the same boot', async () => {
    await world.driver.clone(spec);
    world.double.faults.add('answer', { on: '/status/start', status: 500, reason: 'start failed', times: 1 });
    await expect(world.driver.start(vmRef, { boot: 1, mac })).rejects.toMatchObject({ code: 'hypervisor_failed' });
    const seen = await world.again().look(vmRef);
    expect(seen).toMatchObject({ power: 'off', boot: 1 });
    expect(seen!.offBecause).toBeUndefined();
  });

  test('a power cut at any moment of a clone leaves one desktop', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lb-half-'));
    const file = join(folder, 'state.json');
    const { certificates } = world.double;
    for (const afterMs of [0, 4, 8, 12, 16, 20, 25, 30, 40]) {
      rmSync(file, { force: true });
      const first = await openDriverWorld({ version: '9.2', pace: 0.05, file, certificates });
      const cut = first.driver.clone(spec).catch(() => {});
      await Bun.sleep(afterMs);
      await first.double.kill();
      await cut;
      const later = await openDriverWorld({ version: '9.2', file, certificates });
      const { driver, stop } = await withUnlock(later);
      for (let tries = 0; tries < 20; tries++) {
        const isDone = await driver.clone(spec).then(
          () => true,
          () => false,
        );
        if (isDone) break;
      }
      await stop();
      expect(later.vms().map((vm) => vm.config.name)).toEqual([vmRef]);
      expect(await later.again().look(vmRef)).toMatchObject({ owner, complete: true });
      await later.close();
    }
    rmSync(folder, { recursive: true });
  }, 60_000);
});
