import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'the driver on Proxmox VE %s',
  (version) => {
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
      expect(vm!.config.scsi0).toContain('size=16G');
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

    test('closes the guest in before it is whole', async () => {
      await world.driver.clone(spec);
      const [vm] = world.vms();
      const firewall = world.double.state.firewalls[`/vms/${vm!.vmid}`]!;
      expect(firewall.options).toMatchObject({
        enable: 1,
        policy_in: 'DROP',
        policy_out: 'DROP',
        macfilter: 1,
        ipfilter: 1,
      });
      const address = /ip=([\d.]+)\//.exec(vm!.config.ipconfig0!)![1];
      expect(firewall.ipsets['ipfilter-net0']!.entries.map((entry) => entry.cidr)).toEqual([address]);
      expect(firewall.rules.map((rule) => `${rule.type} ${rule.action} ${rule.dest ?? rule.source}`)).toEqual([
        'in ACCEPT 10.77.0.1',
        'out ACCEPT 9.9.9.9',
        'out ACCEPT 9.9.9.9',
        expect.stringMatching(/^out DROP .*10\.0\.0\.0\/8.*169\.254\.0\.0\/16.*192\.168\.0\.0\/16/),
        'out DROP 10.10.10.1,203.0.113.0/24',
        'out ACCEPT 1.0.0.0-223.255.255.255',
      ]);
      await world.driver.start(vmRef, { boot: 1, mac });
      await world.driver.kill(vmRef);
      Object.assign(firewall, { options: {}, rules: firewall.rules.slice(1) });
      await world.driver.start(vmRef, { boot: 2, mac });
      expect(firewall.options).toMatchObject({ enable: 1, policy_out: 'DROP' });
      expect(firewall.rules).toHaveLength(6);
      await world.driver.delete(vmRef, owner);
      await world.driver.clone({ ...spec, network: 'none' });
      const closed = world.double.state.firewalls[`/vms/${vm!.vmid}`]!;
      expect(closed.rules.map((rule) => rule.type)).toEqual(['in']);
    });

    test('many looks cost one list a second, and a create what is written down', async () => {
      const { driver } = world;
      await driver.look(vmRef);
      expect(world.calls()).toEqual(['GET /nodes/{node}/qemu', 'GET /cluster/resources', 'GET /cluster/status']);
      await driver.clone(spec);
      await driver.start(vmRef, { boot: 1, mac });
      const calls = world.calls().filter((call) => !call.includes('/tasks/{upid}/'));
      expect(calls).toHaveLength(27);
      expect(calls.filter((call) => !call.startsWith('GET '))).toHaveLength(14);
      await Promise.all(Array.from({ length: 200 }, () => driver.look(vmRef)));
      expect(world.calls()).toEqual(['GET /nodes/{node}/qemu', 'GET /nodes/{node}/qemu/{vmid}/config']);
    });

    test('twelve clones at once by two processes each get an id, and the same one asked twice is made once', async () => {
      const refs = Array.from({ length: 12 }, (_, at) => `lb-01k9x3v6m8e9t2q4r6s8v0w2${'abcdefghjkmn'[at]}4`);
      const [one, other] = [world.again(), world.again()];
      const specOf = (name: string) => ({ ...spec, vmRef: name, owner: name.replace('lb-', 'asg_') });
      await Promise.all(refs.map((name, at) => (at % 2 ? one : other).clone(specOf(name))));
      const both = await Promise.allSettled([one.clone(spec), other.clone(spec)]);
      for (const end of both) if (end.status === 'rejected') await one.clone(spec);
      const names = world.vms().map((vm) => String(vm.config.name));
      expect(names.toSorted()).toEqual([...refs, vmRef].toSorted());
    });
  },
);
