import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProxmoxDriver } from '@lebureau/hostd/hypervisor/proxmox/driver';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';

const identity = { mac, machineId: 'ab'.repeat(16) };
const move = { vmRef, owner, to: 'pve2', identity };
const migrate = 'POST /nodes/{node}/qemu/{vmid}/migrate';

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'a move between two nodes of Proxmox VE %s',
  (version) => {
    let world: DriverWorld;
    let one: ProxmoxDriver;
    let two: ProxmoxDriver;
    beforeEach(async () => {
      world = await openDriverWorld({ version, nodes: ['pve1', 'pve2'] });
      world.double.state.storages.local!.shared = true;
      one = world.again();
      two = world.again({ node: 'pve2' });
      await one.clone(spec);
    });
    afterEach(() => world.close());

    const only = () => {
      expect(world.vms()).toHaveLength(1);
      return world.vms()[0]!;
    };
    const tasks = () => Object.values(world.double.state.tasks).filter((task) => task.type === 'qmigrate');

    test('both nodes name one cluster, and a node that stands alone names none', async () => {
      const [first, second] = [await one.facts(), await two.facts()];
      expect(first.cluster).toEqual({ id: expect.stringMatching(/^double:[0-9a-f]{64}$/), member: 'pve1' });
      expect(second.cluster).toEqual({ id: first.cluster!.id, member: 'pve2' });
      const apart = world.again({ vmids: { first: 100_000, last: 150_000 } });
      expect((await apart.facts()).cluster!.id).not.toBe(first.cluster!.id);
      const lone = await openDriverWorld({ version });
      expect((await lone.driver.facts()).cluster).toBeUndefined();
      await lone.close();
    });

    test('a running desktop moves while it runs, and is the other node’s from then on', async () => {
      await one.start(vmRef, { boot: 1, mac });
      const { vmid } = only();
      await one.migrate!(move);
      expect(only()).toMatchObject({ vmid, node: 'pve2', config: { tags: 'lb-home-pve2;lebureau' } });
      expect(only().config.lock).toBeUndefined();
      expect(tasks()).toMatchObject([{ node: 'pve1', exitstatus: 'OK' }]);
      expect(tasks()[0]!.log.join('\n')).toContain('starting online/live migration');
      expect(await two.look(vmRef)).toMatchObject({ owner, complete: true, power: 'running', boot: 1, identity });
      expect((await two.look(vmRef))!.movedTo).toBeUndefined();
      expect(await one.look(vmRef)).toMatchObject({ owner, movedTo: 'pve2', power: 'running' });
      expect(await one.list()).toEqual([]);
      expect(await two.list()).toMatchObject([{ vmRef, owner, identity }]);
      await expect(one.kill(vmRef)).rejects.toMatchObject({ message: expect.stringContaining('pve2') });
      await one.migrate!(move);
      expect(tasks()).toHaveLength(1);
    });

    test('there it stops, starts under its old address, goes back and is removed', async () => {
      await one.start(vmRef, { boot: 1, mac });
      await one.migrate!(move);
      await two.kill(vmRef);
      expect(await two.look(vmRef)).toMatchObject({ power: 'off', offBecause: 'requested' });
      await two.start(vmRef, { boot: 2, mac: '52:54:00:ff:ff:ff' });
      expect(only().config.net0).toContain(mac.toUpperCase());
      await two.migrate!({ ...move, to: 'pve1', identity: { mac: '52:54:00:ff:ff:ff', machineId: 'other' } });
      expect(await one.look(vmRef)).toMatchObject({ power: 'running', boot: 2, identity });
      await one.delete(vmRef, owner);
      expect(world.vms()).toEqual([]);
    });

    test('one that is off moves, too', async () => {
      await one.migrate!(move);
      expect(only().node).toBe('pve2');
      expect(await two.look(vmRef)).toMatchObject({ power: 'off', complete: true, boot: 0 });
      await two.start(vmRef, { boot: 1, mac });
      expect(await two.look(vmRef)).toMatchObject({ power: 'running', boot: 1 });
    });

    test('a linked clone on storage of one node is refused before anything happens, and a full one travels', async () => {
      world.double.state.storages.local!.shared = false;
      await one.start(vmRef, { boot: 1, mac });
      await expect(one.migrate!(move)).rejects.toMatchObject({
        code: 'move_refused',
        message: expect.stringMatching(/linked clone.*LEBUREAU_PVE_STORAGE/),
      });
      expect(tasks()).toEqual([]);
      expect(only().node).toBe('pve1');
      only().config.scsi0 = only().config.scsi0!.replace(/local:9001\/base-9001-disk-0.qcow2\//, 'local:');
      await one.migrate!(move);
      expect(tasks()[0]!.log.join('\n')).toContain('found local disk');
      expect(only().node).toBe('pve2');
    });

    test('what Proxmox VE refuses is told apart from what may pass', async () => {
      world.double.state.storages.local!.nodes = ['pve1'];
      await expect(one.migrate!(move)).rejects.toMatchObject({
        code: 'move_refused',
        message: expect.stringContaining('storage local'),
      });
      await one.start(vmRef, { boot: 1, mac });
      await expect(one.migrate!(move)).rejects.toMatchObject({ code: 'move_refused' });
      delete world.double.state.storages.local!.nodes;
      await expect(one.migrate!({ ...move, to: 'pve9' })).rejects.toMatchObject({ code: 'move_refused' });
      await expect(one.migrate!({ ...move, owner: 'asg_other' })).rejects.toMatchObject({ code: 'not_ours' });
      const { roles } = world.double.state;
      roles.DeskPool = roles.DeskPool!.filter((name) => name !== 'VM.Migrate');
      await expect(one.migrate!(move)).rejects.toMatchObject({
        code: 'needs_operator',
        message: expect.stringContaining('VM.Migrate'),
      });
      roles.DeskPool.push('VM.Migrate');
      world.double.state.nodes.pve2!.online = false;
      await expect(one.migrate!(move)).rejects.toMatchObject({ code: 'hypervisor_failed' });
      expect(only()).toMatchObject({ node: 'pve1', run: {} });
      expect(only().config.lock).toBeUndefined();
      world.double.state.nodes.pve2!.online = true;
      await one.migrate!(move);
    });

    test('two processes that move it at once, and one that comes in the middle, move it once', async () => {
      await one.start(vmRef, { boot: 1, mac });
      const ends = await Promise.allSettled([one.migrate!(move), world.again().migrate!(move)]);
      for (const end of ends) if (end.status === 'rejected') await world.again().migrate!(move);
      expect(tasks().filter((task) => task.exitstatus === 'OK')).toHaveLength(1);
      const back = { ...move, to: 'pve1' };
      const lift = world.double.faults.add('lostAnswer', { on: migrate, times: 1 });
      await expect(two.migrate!(back)).rejects.toMatchObject({ code: 'hypervisor_failed' });
      lift();
      await world.again({ node: 'pve2' }).migrate!(back);
      expect(tasks()).toHaveLength(2);
      expect(await one.look(vmRef)).toMatchObject({ power: 'running', identity });
    });

    test('what arrived is seen and marked by the node there when the one that sent it is off', async () => {
      const puts = { count: 0 };
      const secondPut = { test: (call: string) => /^PUT .*[/]config$/.test(call) && ++puts.count === 2 };
      await one.start(vmRef, { boot: 1, mac });
      const lift = world.double.faults.add('lostRequest', { on: secondPut as unknown as RegExp });
      await expect(one.migrate!(move)).rejects.toMatchObject({ code: 'hypervisor_failed' });
      lift();
      world.double.state.nodes.pve1!.online = false;
      const arrived = { vmRef, owner, power: 'running', boot: 1, arrivedAt: 'pve2', identity };
      expect(await two.list()).toMatchObject([arrived]);
      expect(await two.look(vmRef)).toMatchObject(arrived);
      expect((await two.look(vmRef))!.movedTo).toBeUndefined();
      const theirs = { mac: '52:54:00:ff:ff:ff', machineId: 'other' };
      await expect(two.migrate!({ ...move, owner: 'asg_other' })).rejects.toMatchObject({ code: 'not_ours' });
      await two.migrate!({ ...move, identity: theirs });
      expect(only().config.tags).toBe('lb-home-pve2;lebureau');
      expect(await two.look(vmRef)).toMatchObject({ power: 'running', identity });
      expect(tasks()).toHaveLength(1);
      world.double.state.nodes.pve1!.online = true;
      expect(await world.again().list()).toEqual([]);
      await expect(world.again().migrate!({ ...move, to: 'pve3' })).rejects.toMatchObject({ code: 'not_ours' });
      expect(only().config.description).not.toContain('moving');
    });

    test('what arrived and is to go on is marked where it is before it goes', async () => {
      const puts = { count: 0 };
      const secondPut = { test: (call: string) => /^PUT .*[/]config$/.test(call) && ++puts.count === 2 };
      const lift = world.double.faults.add('lostRequest', { on: secondPut as unknown as RegExp });
      await expect(one.migrate!(move)).rejects.toMatchObject({ code: 'hypervisor_failed' });
      lift();
      const homes = { before: '' };
      world.double.faults.add('lostRequest', {
        on: { test: (call: string) => call.startsWith('POST ') && ((homes.before = only().config.tags!), true) },
      } as never);
      await expect(two.migrate!({ ...move, to: 'pve1' })).rejects.toMatchObject({ code: 'hypervisor_failed' });
      expect([homes.before, only().node]).toEqual(['lb-home-pve2;lebureau', 'pve2']);
      expect(await world.again({ node: 'pve2' }).list()).toMatchObject([{ vmRef, owner }]);
    });

    test('what is on its way, or was sent without its identity, is no arrival yet', async () => {
      await one.start(vmRef, { boot: 1, mac });
      await one.migrate!(move);
      const set = (change: object) => {
        const line = /lebureau-vm: (.*)/.exec(only().config.description!)![1]!;
        const marker = { ...JSON.parse(line), home: 'pve1', moving: { from: 'pve1', to: 'pve2' }, ...change };
        only().config.description = only().config.description!.replace(line, JSON.stringify(marker));
      };
      set({ identity: undefined });
      expect(await world.again({ node: 'pve2' }).list()).toEqual([]);
      set({ identity });
      only().config.lock = 'migrate';
      expect(await world.again({ node: 'pve2' }).list()).toEqual([]);
      await expect(world.again({ node: 'pve2' }).migrate!(move)).rejects.toMatchObject({ code: 'not_ours' });
      delete only().config.lock;
      expect(await world.again({ node: 'pve2' }).list()).toMatchObject([{ vmRef, arrivedAt: 'pve2' }]);
    });

    test('what arrived and was not marked is seen as such, and a move that was cut off wants a person', async () => {
      let puts = 0;
      const second = { test: (call: string) => call.startsWith('PUT ') && call.endsWith('/config') && ++puts === 2 };
      const on = second as unknown as RegExp;
      const liftSecond = world.double.faults.add('lostRequest', { on });
      await expect(one.migrate!(move)).rejects.toMatchObject({ code: 'hypervisor_failed' });
      liftSecond();
      expect(await world.again().look(vmRef)).toMatchObject({ arrivedAt: 'pve2', complete: true });
      await world.again().migrate!(move);
      expect((await two.look(vmRef))!.arrivedAt).toBeUndefined();
      only().config.lock = 'migrate';
      expect(await world.again({ node: 'pve2' }).look(vmRef)).toMatchObject({ moving: true });
      await expect(two.migrate!({ ...move, to: 'pve1' })).rejects.toMatchObject({
        code: 'needs_operator',
        message: expect.stringContaining(`qm unlock ${only().vmid}`),
      });
    });
  },
);
