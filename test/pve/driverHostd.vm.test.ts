import { describe, expect, test } from 'vitest';
import { ApiDouble } from '@lebureau/hostd/crashmatrix/apidouble';
import { firstOrder, nobody } from '@lebureau/hostd/crashmatrix/world';
import { Hostd } from '@lebureau/hostd/hostd';
import type { Assignment } from '@lebureau/hostd/orders';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { openDriverWorld, spec, type DriverWorld } from './driverWorld.ts';
import { ToldGuests } from './toldGuests.ts';
import { newVm } from './vm/lifecycle.ts';

const times = 20;
/** A second is a twentieth of one, for hostd and its driver alike. */
const fastClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs() * times,
  sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
};
const refs = ['a', 'b', 'c'].map((letter) => `01k9x3v6m8e9t2q4r6s8v0w2${letter}4`);

function startHostd(world: DriverWorld, api: ApiDouble) {
  const over = new AbortController();
  const driver = world.again({}, fastClock);
  const hostd = new Hostd({
    desk: api.desk(async () => {}),
    driver,
    guests: new ToldGuests(driver),
    clock: fastClock,
    log: silentLog,
    identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot }),
    macOf: () => nobody.mac,
    nodeName: 'pve1',
    version: '0',
    guestAddress: 'unix:/nowhere',
    effectsMax: 8,
    drainMs: 0,
    reclaim: 'on',
    reclaimRecord: { read: () => undefined, write: () => {} },
    bootTimeoutMs: 600_000,
    lookEveryMs: 3_000,
  });
  return { ended: hostd.run(over.signal), stop: () => over.abort() };
}

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)('hostd on Proxmox VE %s', (version) => {
  test('keeps three desktops right while calls are lost and one hostd follows another', async () => {
    const world = await openDriverWorld({ version, pace: 0.002, bootMs: 0 });
    const foreign = newVm(150_000, 'pve1', { name: 'customer-database', memory: '512' });
    world.double.state.vms[150_000] = foreign;
    world.double.state.pools.desks!.members.push(150_000);
    const api = new ApiDouble(fastClock);
    const orderOf = (body: string): Assignment => ({
      ...firstOrder,
      assignmentId: `asg_${body}`,
      vmRef: `lb-${body}`,
      templateId: spec.templateId,
      network: 'internet',
    });
    for (const body of refs) api.insert(orderOf(body), 'pve1');
    let chance = 7;
    const befalls = () => (chance = (chance * 48_271) % 2_147_483_647) % 100 < 3;
    world.double.faults.add('lostAnswer', { on: { test: befalls } as unknown as RegExp });
    world.double.faults.add('answer', {
      on: { test: befalls } as unknown as RegExp,
      status: 596,
      reason: 'Broken pipe',
    });
    let hostd = startHostd(world, api);
    const isSo = (wish: string) =>
      refs.every((body) => {
        const { order, observed, gone } = api.row(`asg_${body}`);
        const ours = world.vms().filter((vm) => vm.config.name === order.vmRef);
        expect(ours.length).toBeLessThanOrEqual(1);
        if (wish === 'deleted') return gone && ours.length === 0;
        if (observed?.generation !== order.generation) return false;
        if (wish === 'stopped') return observed.power === 'off' && ours[0]?.run === null;
        return observed.ready && observed.boot === order.desiredBoot && ours[0]?.run !== null;
      });
    for (const wish of ['running', 'stopped', 'running', 'restart', 'deleted'] as const) {
      if (wish !== 'running' || api.row(`asg_${refs[0]}`).order.desired !== 'running')
        for (const body of refs) api.want(`asg_${body}`, wish);
      await Bun.sleep(150);
      const former = hostd;
      hostd = startHostd(world, api);
      former.stop();
      await expect.poll(() => isSo(wish), { timeout: 30_000, interval: 20, message: wish }).toBe(true);
    }
    hostd.stop();
    await hostd.ended;
    world.double.faults.clear();
    expect(world.vms()).toEqual([foreign]);
    await world.close();
  }, 90_000);
});
