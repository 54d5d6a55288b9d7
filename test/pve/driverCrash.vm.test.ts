import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProxmoxDriver } from '@lebureau/hostd/hypervisor/proxmox/driver';
import { findReference } from './api/reference.ts';
import { mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';

/**
 * Each call that an effect makes, times what can go wrong with it. Then another process of hostd, which remembers nothing,
 * carries the effect out again until it succeeds, as hostd does. There must be one VM, never two, and none without an owner.
 */
type Mishap = 'lostAnswer' | 'refused';
const mishaps: readonly Mishap[] = ['lostAnswer', 'refused'];
const triesMax = 30;
const identity = { mac, machineId: 'ab'.repeat(16) };

interface Stage {
  name: string;
  before: (driver: ProxmoxDriver) => Promise<void>;
  effect: (driver: ProxmoxDriver) => Promise<void>;
  holds: (world: DriverWorld) => Promise<void>;
}

const stages: readonly Stage[] = [
  {
    name: 'clone',
    before: async () => {},
    effect: (driver) => driver.clone(spec),
    holds: async (world) => {
      expect(world.vms()).toHaveLength(1);
      const seen = await world.again().look(vmRef);
      expect(seen).toMatchObject({ owner, complete: true, power: 'off', boot: 0 });
      expect(world.vms()[0]!.config.lock).toBeUndefined();
      expect(world.vms()[0]!.config.scsi0).toContain('size=16G');
    },
  },
  {
    name: 'start',
    before: (driver) => driver.clone(spec),
    effect: (driver) => driver.start(vmRef, { boot: 1, mac }),
    holds: async (world) => {
      expect(world.vms()).toHaveLength(1);
      expect(await world.again().look(vmRef)).toMatchObject({ owner, power: 'running', boot: 1 });
    },
  },
  {
    name: 'kill',
    before: async (driver) => {
      await driver.clone(spec);
      await driver.start(vmRef, { boot: 1, mac });
    },
    effect: (driver) => driver.kill(vmRef),
    holds: async (world) => {
      expect(await world.again().look(vmRef)).toMatchObject({ power: 'off', boot: 1, offBecause: 'requested' });
    },
  },
  {
    name: 'move',
    before: async (driver) => {
      await driver.clone(spec);
      await driver.start(vmRef, { boot: 1, mac });
    },
    effect: (driver) => driver.migrate!({ vmRef, owner, to: 'pve2', identity }),
    holds: async (world) => {
      const [vm] = world.vms();
      expect(vm).toMatchObject({ node: 'pve2', run: {} });
      expect(vm!.config.lock).toBeUndefined();
      const there = world.again({ node: 'pve2' });
      expect(await there.look(vmRef)).toMatchObject({ owner, complete: true, power: 'running', boot: 1, identity });
      expect(await world.again().look(vmRef)).toMatchObject({ movedTo: 'pve2' });
    },
  },
  {
    name: 'delete',
    before: async (driver) => {
      await driver.clone(spec);
      await driver.start(vmRef, { boot: 1, mac });
    },
    effect: (driver) => driver.delete(vmRef, owner),
    holds: async (world) => {
      expect(world.vms()).toEqual([]);
      expect(await world.again().look(vmRef)).toBeUndefined();
      expect(world.double.state.pools.desks!.members).toEqual([world.double.templateId, world.double.templateId + 1]);
    },
  },
];

async function untilDone(world: DriverWorld, stage: Stage): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await stage.effect(world.again());
    } catch (error) {
      if (tries >= triesMax) throw error;
      await Bun.sleep(5);
    }
    expect(world.vms().length).toBeLessThanOrEqual(1);
  }
}

/** @param at which of the calls it befalls, from 0. */
function befall(world: DriverWorld, at: number, mishap: Mishap): () => void {
  let count = -1;
  const on = {
    test: () => {
      count += 1;
      return count === at;
    },
  } as unknown as RegExp;
  const { faults } = world.double;
  if (mishap === 'lostAnswer') return faults.add('lostAnswer', { on });
  return faults.add('answer', { on, status: 596, reason: 'Broken pipe' });
}

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'hostd dies on Proxmox VE %s',
  (version) => {
    let world: DriverWorld;
    beforeAll(async () => {
      world = await openDriverWorld({ version, pace: 0.0005, nodes: ['pve1', 'pve2'] });
      world.double.state.storages.local!.shared = true;
    });
    afterAll(() => world.close());

    // The versions differ in what a clone shows of itself while it is made.
    test.each(version === '8.4' ? stages.slice(0, 1) : stages)(
      'in every call of $name',
      async (stage) => {
        await stage.before(world.again());
        world.calls();
        await stage.effect(world.again());
        const calls = world.calls();
        await stage.holds(world);
        for (let at = 0; at < calls.length; at++) {
          for (const mishap of mishaps) {
            // A read that was answered and one that was not are the same to the cluster.
            const isRead = calls[at]!.startsWith('GET ');
            if (isRead && (mishap === 'lostAnswer' || version === '8.4' || !['clone', 'move'].includes(stage.name)))
              continue;
            await world.again().delete(vmRef, owner);
            await stage.before(world.again());
            const lift = befall(world, at, mishap);
            await stage.effect(world.again()).catch(() => {});
            lift();
            try {
              await untilDone(world, stage);
              await stage.holds(world);
            } catch (error) {
              throw new Error(`${mishap} at ${calls[at]} (${at})`, { cause: error });
            }
          }
        }
        await world.again().delete(vmRef, owner);
      },
      60_000,
    );
  },
);
