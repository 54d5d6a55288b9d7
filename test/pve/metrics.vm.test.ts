import { pastOf } from '@lebureau/hostd/hypervisor/proxmox/metrics';
import { usedSince } from '@lebureau/hostd/metrics/usedSince';
import { systemClock } from '@lebureau/kit/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, spec, vmRef, type DriverWorld } from './driverWorld.ts';

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'metrics of desktops on Proxmox VE %s',
  (version) => {
    let world: DriverWorld;
    let laterMs = 0;
    const clock = {
      ...systemClock,
      nowMs: () => systemClock.nowMs() + laterMs,
      monotonicMs: () => systemClock.monotonicMs() + laterMs,
    };
    const usage = { cpu: 0, memoryBytes: 512 * 1024 ** 2, netIn: 1000, netOut: 500 };
    beforeEach(async () => {
      world = await openDriverWorld({ version, clock });
      Object.assign(usage, { cpu: 0, netIn: 1000, netOut: 500 });
      world.double.machines.usage = () => ({ ...usage });
      await world.driver.clone(spec);
    });
    afterEach(async () => {
      world.driver.close();
      await world.close();
    });
    /** Past the second for which a list is good. */
    const look = async (driver = world.driver) => {
      laterMs += 1_050;
      return (await driver.metrics()).find((one) => one.vmRef === vmRef);
    };

    test('come with the one list, whatever the number of VMs', async () => {
      const others = ['a', 'b', 'c'].map((letter) => `lb-01k9x3v6m8e9t2q4r6s8v0w2${letter}4`);
      for (const name of others) {
        await world.driver.clone({ ...spec, vmRef: name, owner: name.replace('lb-', 'asg_') });
        await world.driver.start(name, { boot: 1, mac });
      }
      await world.driver.start(vmRef, { boot: 1, mac });
      await world.driver.look(vmRef);
      laterMs += 1_050;
      world.calls();
      usage.cpu = 0.25;
      expect((await world.driver.metrics()).map((one) => one.vmRef).toSorted()).toEqual([...others, vmRef].toSorted());
      await world.driver.metrics();
      await world.driver.look(vmRef);
      expect(world.calls()).toEqual(['GET /nodes/{node}/qemu']);
    });

    test('say what is known, and not what only looks like it', async () => {
      expect(await look()).toBeUndefined();
      await world.driver.start(vmRef, { boot: 1, mac });
      const first = await look();
      expect(first).toMatchObject({
        // A worker of Proxmox VE that sees a process for the first time says 0.
        cpuCores: undefined,
        memoryUsedKiB: 524_288,
        memoryHostKiB: version === '8.4' ? undefined : 524_288,
        diskReadBytes: undefined,
        networkReceivedBytes: 1000,
        networkSentBytes: 500,
      });
      expect(first!.diskUsedKiB).toBeUndefined();
      Object.assign(usage, { cpu: 0.25, netIn: 3000 });
      const second = await look();
      expect(second!.cpuCores).toBe(0.5);
      expect(usedSince(first, second!, 10_000)).toMatchObject({ cpuMs: 5000, networkReceivedBytes: 2000 });
      usage.cpu = 0;
      expect((await look())!.cpuCores).toBe(0);
      // Another process of hostd knows it as little as the first did.
      expect((await look(world.again()))!.cpuCores).toBeUndefined();
    });

    test('begin anew with another start', async () => {
      await world.driver.start(vmRef, { boot: 1, mac });
      usage.cpu = 0.1;
      const before = await look();
      await world.driver.kill(vmRef);
      expect(await look()).toBeUndefined();
      usage.netIn = 10;
      await world.driver.start(vmRef, { boot: 2, mac });
      const after = await look();
      expect(after!.life).not.toBe(before!.life);
      expect(usedSince(before, after!, 10_000)).toBeUndefined();
    });

    test('of the last hour are read from rrddata, and none from before the start of this very VM', async () => {
      await world.driver.start(vmRef, { boot: 1, mac });
      const [vm] = world.vms();
      const nowS = Math.floor(world.double.world.nowS() / 60) * 60;
      const row = { cpu: 0.5, maxcpu: 2, mem: 1024 * 1024, netin: 10, netout: 1.5 };
      world.double.state.rrd[vm!.vmid] = Array.from({ length: 40 }, (_, at) => ({
        time: nowS - (40 - at) * 60,
        values: at === 35 ? {} : row,
      }));
      world.calls();
      expect(await world.driver.pastMetrics!(vmRef)).toEqual([]);
      // Ids are used again: the rows before belong to whoever had it.
      vm!.run!.startedAtMs -= 600_000;
      laterMs += 1_050;
      const past = await world.driver.pastMetrics!(vmRef);
      expect(past.length).toBeGreaterThan(5);
      expect(past.length).toBeLessThanOrEqual(9);
      expect(past.at(-1)!.used).toEqual({
        cpuMs: 60_000,
        memoryUsedKiB: 1024,
        networkReceivedBytes: 600,
        networkSentBytes: 90,
      });
      expect(past.every((one) => one.overMs === 60_000 && one.agoMs >= 0 && one.agoMs + one.overMs <= 601_000)).toBe(
        true,
      );
      expect(world.calls().filter((call) => call.endsWith('/rrddata'))).toHaveLength(2);
    });
  },
);

test('a row of rrddata is about the minute that begins at its time', () => {
  const at = { nodeNowMs: 600_000, startedMs: 0 };
  expect(pastOf([{ time: 60, mem: 2048 }, { time: 120 }, { time: 590, mem: 1 }], at)).toEqual([
    { agoMs: 480_000, overMs: 60_000, used: { memoryUsedKiB: 2 } },
  ]);
});
