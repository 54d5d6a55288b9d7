import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@lebureau/kit/clock';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PoolSettings } from '../../api/pool/plan.ts';
import { newToken } from '../../api/testing/joiner.ts';
import { type TestPostgres, startTestPostgres } from '../../api/testing/postgres.ts';
import { type TestApi, startTestApi } from '../../api/testing/testApi.ts';
import { findReference } from '../pve/api/reference.ts';
import type { DoubleOptions } from '../pve/double.ts';
import { openDriverWorld, type DriverWorld } from '../pve/driverWorld.ts';
import { haltWhenFull } from '../pve/vm/room.ts';
import type { VmState } from '../pve/world/state.ts';
import { freePort } from '../freePort.ts';
import { ProxmoxNode } from './proxmoxNode.ts';

/** What a Proxmox VE node can do to a desktop while it lives, seen through the API on Postgres: told as what it is, and over when it is over. */

const times = 20;
/** A second is a twentieth of one. */
function fastClock(skewMs = 0): Clock {
  return {
    nowMs: () => systemClock.nowMs() + skewMs,
    monotonicMs: () => systemClock.monotonicMs() * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}

interface Desktop {
  id: string;
  status: string;
  ready: boolean;
  error: { code: string; message: string } | null;
}

describe.skipIf(findReference() === undefined)('faults of Proxmox VE (need shared/reference)', () => {
  let postgres: TestPostgres;
  let api: TestApi;
  let world: DriverWorld;
  let node: ProxmoxNode;
  const folder = mkdtempSync(join(tmpdir(), 'lb-faults-'));
  const tokenFile = join(folder, 'token');
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true });
  });

  interface Skews {
    api: number;
    hostd: number;
    node: number;
  }
  /** @param skews clocks that are wrong by so many milliseconds; then hostd joins over TLS */
  async function open(skews?: Skews, pool?: PoolSettings, cluster: Partial<DoubleOptions> = {}): Promise<void> {
    world = await openDriverWorld({ version: '9.2', bootMs: 0, ...cluster });
    world.double.state.nodes.pve1!.clockSkewMs = skews?.node ?? 0;
    writeFileSync(tokenFile, world.settings.token);
    const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + (skews?.api ?? 0) };
    const tls = { hostname: '127.0.0.1', port: 0 };
    const databaseUrl = await postgres.newDatabase();
    api = await startTestApi({ clock, config: { databaseUrl, pool, ...(skews && { nodeListen: { tls } }) } });
    node = new ProxmoxNode({
      apiAddress: skews ? `https://127.0.0.1:${api.api.nodeTlsPort}` : `unix:${api.config.nodeListen.socket}`,
      token: skews && (await newToken(api)),
      settings: { ...world.settings, tokenFile },
      clock: fastClock(skews?.hostd),
    });
    if (skews) await node.join();
    node.start();
    const isUp = async () => {
      const { data } = await api.expect<{ data: { status: string; capacity: { diskMiB: number } }[] }>(
        'listNodes',
        200,
        {
          method: 'GET',
          path: '/v1/nodes',
        },
      );
      // The room of its storage may be told a moment after the node itself.
      return data[0]?.status === 'up' && data[0].capacity.diskMiB > 0;
    };
    await expect.poll(isUp).toBe(true);
  }
  afterEach(async () => {
    await node.remove();
    await api.stop();
    await world.close();
  });

  const create = (body: object = {}) =>
    api.expect<Desktop>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body });
  const look = (id: string) => api.expect<Desktop>('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}` });
  const until = (id: string, wanted: object) =>
    expect.poll(() => look(id), { timeout: 20_000, interval: 30 }).toMatchObject(wanted);
  const ready = { status: 'running', ready: true, error: null };
  const post = (id: string, action: string) =>
    api.expect(`${action}Desktop`, 200, { method: 'POST', path: `/v1/desktops/${id}/${action}` });
  const fill = (isFull: boolean) => {
    const local = world.double.state.storages.local!;
    local.otherBytes = isFull ? local.totalBytes : 2 ** 30;
  };
  /** Before the first call of this kind is carried out. */
  const before = (call: string, happens: () => void) => {
    const { dispatcher } = world.double;
    const handle = dispatcher.handle.bind(dispatcher);
    let has = false;
    dispatcher.handle = (request) => {
      if (!has && dispatcher.nameOf(request) === call) {
        has = true;
        happens();
      }
      return handle(request);
    };
  };
  const onlyVm = (): VmState => {
    expect(world.vms()).toHaveLength(1);
    return world.vms()[0]!;
  };

  test.each([
    ['clone', 'POST /nodes/{node}/qemu/{vmid}/clone'],
    ['resize', 'PUT /nodes/{node}/qemu/{vmid}/resize'],
    ['start', 'POST /nodes/{node}/qemu/{vmid}/status/start'],
  ])('a storage that is full at the %s is told, and the desktop is ready once there is room', async (_, call) => {
    await open();
    before(call, () => fill(true));
    const { id } = await create({ hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 16 } });
    await until(id, { ready: false, error: { code: 'disk_full' } });
    fill(false);
    await until(id, ready);
    expect(onlyVm().config.scsi0).toContain('size=16G');
  });

  test('a guest that is halted for want of room is told, keeps its memory, and goes on', async () => {
    await open();
    const { id } = await create();
    await until(id, ready);
    const { pid } = onlyVm().run!;
    fill(true);
    await haltWhenFull(world.double.world, onlyVm());
    await until(id, { ready: false, error: { code: 'disk_full', message: expect.stringContaining('room') } });
    await Bun.sleep(500);
    expect(onlyVm().run, 'it was not cut').toMatchObject({ pid, ioError: true });
    fill(false);
    await until(id, ready);
    expect(onlyVm().run).toMatchObject({ pid, paused: false });
  });

  test('a template that goes away under its clones takes none with it, and comes back', async () => {
    await open();
    const { id } = await create();
    await until(id, ready);
    const template = world.double.state.vms[world.double.templateId]!;
    before('POST /nodes/{node}/qemu/{vmid}/clone', () => {
      // The request was looked at; the work behind it finds no file.
      setTimeout(() => delete world.double.state.vms[template.vmid], 0);
    });
    const next = await create();
    await until(next.id, { status: 'error', error: { code: 'template_missing' } });
    expect(await look(id)).toMatchObject(ready);
    expect(world.vms(), 'nothing half-made is left').toHaveLength(1);
    const refused = async () => (await api.ask('POST', '/v1/desktops', { body: {} })).status;
    await expect.poll(refused).toBe(503);
    world.double.state.vms[template.vmid] = template;
    await post(next.id, 'restart');
    await until(next.id, ready);
    await post(id, 'restart');
    await until(id, ready);
  });

  test('a token that is revoked is told, and a new one in its file is taken without a restart', async () => {
    await open();
    const { id } = await create();
    await until(id, ready);
    const { tokens } = world.double.state;
    tokens['desk@pve!t1']!.revoked = true;
    // Three seconds, as the real one takes to say so.
    const lift = world.double.faults.add('slow', { on: /./, ms: 3_000 / times });
    const next = await create();
    await until(next.id, { status: 'error', error: { code: 'needs_operator' } });
    expect(world.vms()).toHaveLength(1);
    const secret = crypto.randomUUID();
    tokens['desk@pve!t1'] = { secret, privsep: true };
    await Bun.sleep(300);
    expect(await look(next.id), 'the old one is still refused').toMatchObject({ status: 'error' });
    writeFileSync(tokenFile, `desk@pve!t1=${secret}\n`);
    lift();
    await until(next.id, ready);
    await post(id, 'restart');
    await until(id, ready);
  });

  test('a node that loses power in the middle of a clone costs an id, and no desktop is there twice', async () => {
    const cluster = { file: join(folder, 'cluster.json'), port: await freePort(), pace: 0.5 };
    await open(undefined, undefined, cluster);
    const { id } = await create();
    await expect.poll(() => world.vms()[0]?.config.lock, { interval: 5 }).toBe('clone');
    await world.double.kill();
    world = await openDriverWorld({ version: '9.2', bootMs: 0, ...cluster, pace: 0.002 });
    const [cut] = world.vms();
    expect(cut!.config.lock, 'nobody takes it off').toBe('clone');
    await until(id, ready);
    const others = world.vms().filter((vm) => vm.vmid !== cut!.vmid);
    expect(others).toHaveLength(1);
    expect(cut!.run).toBeNull();
    await api.ask('DELETE', `/v1/desktops/${id}`);
    await until(id, { status: 'destroyed' });
    expect(world.vms()).toEqual([cut]);
  });

  /** The name of the machine that waits and can be had. */
  const waits = async () => {
    const { read } = api.api.services.database;
    const rows = await read.selectFrom('assignments').select('vmRef').where('poolKey', 'is not', null).execute();
    const ready = await read.selectFrom('assignments').select('vmRef').where('ready', '=', 1).execute();
    return rows.find(({ vmRef }) => ready.some((row) => row.vmRef === vmRef))?.vmRef;
  };

  test('a machine that waits and hangs is replaced, and one that hangs when it is claimed is started anew', async () => {
    await open(undefined, { membersMax: 1, memoryPercent: 100 });
    const { id } = await create();
    await until(id, ready);
    await expect.poll(waits, { timeout: 20_000 }).toBeDefined();
    const first = (await waits())!;
    node.hanging.add(first);
    await expect.poll(async () => [undefined, first].includes(await waits()), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => world.vms().map((vm) => vm.config.name)).not.toContain(first);

    const second = (await waits())!;
    const vm = world.vms().find((each) => each.config.name === second)!;
    const { pid } = vm.run!;
    node.hanging.add(second);
    const claimed = await create();
    await until(claimed.id, { status: 'booting', ready: false });
    await expect.poll(() => vm.run?.pid ?? pid, { timeout: 20_000 }).not.toBe(pid);
    node.hanging.delete(second);
    await until(claimed.id, ready);
    expect(world.vms()).toContain(vm);
  });

  const min = 60_000;
  test.each<Skews>([
    { api: 10 * min, hostd: 0, node: -10 * min },
    { api: -10 * min, hostd: 0, node: 10 * min },
    { api: 0, hostd: 10 * min, node: -10 * min },
    { api: 0, hostd: -10 * min, node: 10 * min },
    { api: 10 * min, hostd: -10 * min, node: 0 },
  ])('clocks that are minutes apart change nothing: %o', async (skews) => {
    await open(skews);
    const { id } = await create();
    await until(id, ready);
    const { machines, state } = world.double;
    await machines.powerdown(onlyVm().vmid);
    await until(id, { status: 'stopped', error: null });
    await post(id, 'start');
    await until(id, ready);
    await Bun.sleep(1_100);
    const vm = onlyVm();
    // The node was started anew: by its own clock, whatever that shows.
    for (const task of Object.values(state.tasks)) task.starttime -= 60;
    state.nodes.pve1!.bootedAtMs = Date.now() - 10_000;
    await machines.stop(vm.vmid);
    world.double.world.stopped(vm);
    await until(id, { status: 'error', error: { code: 'guest_crashed' } });
    await post(id, 'start');
    await until(id, ready);
    await api.ask('DELETE', `/v1/desktops/${id}`);
    await until(id, { status: 'destroyed' });
    expect(world.vms()).toEqual([]);
  });
});
