import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runDoctor } from '@lebureau/hostd/doctor/doctor';
import { openSite } from '@lebureau/hostd/hypervisor/proxmox/openSite';
import { systemClock, type Clock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { writeBuiltTemplate } from './builtTemplate.ts';
import { keysOf, mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';
import type { VmState } from './world/state.ts';

const id = `tpl_${'3'.repeat(26)}`;
const newer = `tpl_${'4'.repeat(26)}`;
const triesMax = 30;
const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms < 3_000 ? ms / 40 : ms, signal),
};

interface Importing {
  world: DriverWorld;
  home: string;
}

async function run({ world, home }: Importing, ...argv: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const siteOf = (node = world.settings.node) =>
    openSite({ settings: { ...world.settings, node }, clock: quick, log: silentLog, keysOf });
  const code = await runDoctor({ siteOf, home, argv, print: (line) => lines.push(line) });
  return { code, text: lines.join('\n') };
}

function imported({ double }: DriverWorld, templateId = id, node = 'pve1'): VmState[] {
  return Object.values(double.state.vms).filter(
    (vm) => vm.node === node && vm.config.description?.includes(`"${templateId}"`),
  );
}

/** One whole template, from which linked clones can be made, and nothing besides. */
function expectWhole(world: DriverWorld, templateId = id, node = 'pve1'): void {
  const vms = imported(world, templateId, node);
  expect(vms).toHaveLength(1);
  const { vmid, config } = vms[0]!;
  expect(config).toMatchObject({ template: '1', boot: 'order=virtio1', machine: 'q35', agent: '1', vga: 'std' });
  expect(config.virtio0).toMatch(new RegExp(`^local:${vmid}/base-${vmid}-disk-\\d.qcow2,discard=on,size=8G$`));
  expect(config.virtio1).toMatch(
    new RegExp(`^local:${vmid}/base-${vmid}-disk-\\d.raw,serial=lebureau-boot,size=\\d+M$`),
  );
  expect(config.lock).toBeUndefined();
  expect(world.double.state.files).toEqual({});
  expect(world.double.state.pools.desks!.members).toContain(vmid);
  const firewall = world.double.state.firewalls[`/vms/${vmid}`]!;
  expect(firewall.options).toMatchObject({ enable: 1, policy_in: 'DROP', policy_out: 'DROP' });
  expect(firewall.rules).toHaveLength(6);
}

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'the import of a template on Proxmox VE %s',
  (version) => {
    let world: DriverWorld;
    let home: string;
    const settings = { storage: 'local' };
    beforeEach(async () => {
      home = mkdtempSync(join(tmpdir(), 'lb-import-'));
      world = await openDriverWorld({ version, nodes: ['pve1', 'pve2'] });
      Object.assign(world.settings, settings);
      writeBuiltTemplate(home, { id, builtAtMs: 5 });
    });
    afterEach(async () => {
      rmSync(home, { recursive: true });
      await world.close();
    });

    test('makes one that desktops are cloned from, with their own boot disk', async () => {
      const { code, text } = await run({ world, home }, '--import-template');
      expect(text).toContain(`template ${id} is there`);
      expect(code).toBe(0);
      expectWhole(world);
      expect(readdirSync(home).toSorted()).toEqual(['import.lock', 'templates', 'upload-mark']);
      const driver = world.again({ storage: undefined });
      expect((await driver.facts()).templates.map((each) => each.id)).toContain(id);
      expect(await driver.list()).toEqual([]);
      await driver.look(vmRef);
      world.calls();
      await driver.clone({ ...spec, templateId: id });
      const [clone] = world.vms().filter((vm) => vm.config.template !== '1');
      expect(clone!.config.virtio0).toMatch(/^local:\d+\/base-.*\/vm-\d+-disk-0.qcow2,discard=on,size=16G$/);
      expect(clone!.config.virtio1).toMatch(/^local:\d+\/base-.*\.raw\/\d+\/vm-.*serial=lebureau-boot/);
      expect(clone!.config.boot).toBe('order=virtio1');
      await driver.start(vmRef, { boot: 1, mac });
      // The clone takes over the firewall: only its own address is written.
      expect(world.calls().filter((call) => !call.includes('/tasks/{upid}/'))).toHaveLength(18);
      await driver.kill(vmRef);
      await driver.delete(vmRef, owner);
      driver.close();
    });

    test('is asked for again and does nothing', async () => {
      await run({ world, home }, '--import-template');
      world.calls();
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expect(world.calls().filter((call) => !call.startsWith('GET '))).toEqual([]);
      expect((await run({ world, home })).text).toContain(`ok    template ${id}`);
    });

    test('begins again where an answer was lost or refused, at each of its calls', async () => {
      await run({ world, home }, '--import-template');
      const calls = () => world.calls().filter((call) => !call.startsWith('GET '));
      const first = calls();
      expect(first.filter((call) => call.includes('/upload'))).toHaveLength(2);
      for (let at = 0; at < first.length; at++) {
        for (const mishap of ['lostAnswer', 'refused'] as const) {
          await removeImported(world);
          let count = -1;
          const on = { test: (call: string) => !call.startsWith('GET ') && ++count === at } as unknown as RegExp;
          const { faults } = world.double;
          const lift =
            mishap === 'lostAnswer'
              ? faults.add('lostAnswer', { on })
              : faults.add('answer', { on, status: 596, reason: 'Broken pipe' });
          await run({ world, home }, '--import-template');
          lift();
          for (let tries = 1; (await run({ world, home }, '--import-template')).code !== 0; tries++) {
            if (tries >= triesMax) throw new Error(`${mishap} at ${first[at]} (${at}) is never got over`);
          }
          expectWhole(world);
        }
      }
    }, 120_000);

    test('removes what it uploaded itself, and nothing of another node or cluster on the same storage', async () => {
      const { files } = world.double.state;
      const upload = (name: string) => {
        const volume = `lebureau:import/lebureau-${name}`;
        files[`pve1 ${volume}`] = {
          volume,
          content: 'import',
          format: 'qcow2',
          sizeBytes: 1,
          virtualBytes: 1,
          ctime: 1,
        };
        return `pve1 ${volume}`;
      };
      writeFileSync(join(home, 'upload-mark'), '0123456789ab');
      const others = ['pve1-a_0123456789ab_x.qcow2', 'pve1-tpl_x.qcow2', 'pve1_ba9876543210_x.qcow2'].map(upload);
      upload('pve1_0123456789ab_x.qcow2');
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expect(Object.keys(files).toSorted()).toEqual(others.toSorted());
    });

    test('says so when there is no room, and leaves nothing behind', async () => {
      const { state } = world.double;
      state.nodes.pve1!.tmpFreeBytes = 1_500_000;
      const first = await run({ world, home }, '--import-template');
      expect(first.code).toBe(1);
      expect(first.text).toContain('write to temporary file failed - No space left on device');
      expect(state.files).toEqual({});
      delete state.nodes.pve1!.tmpFreeBytes;
      state.storages.lebureau!.otherBytes = state.storages.lebureau!.totalBytes - 1_000_000;
      expect((await run({ world, home }, '--import-template')).text).toContain(
        'MiB free, and the template takes 2 MiB',
      );
      // It filled up after it was looked at.
      world.double.faults.add('slow', { on: '/upload', ms: 0 });
      state.storages.lebureau!.otherBytes = 0;
      state.storages.local!.otherBytes = state.storages.local!.totalBytes - 1_000_000;
      const second = await run({ world, home }, '--import-template');
      expect(second.text).toContain('No space left on device');
      expect(state.files).toEqual({});
      state.storages.local!.otherBytes = 0;
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expectWhole(world);
    });

    test('does not take a file that is not what was sent', async () => {
      const handle = world.double.dispatcher.handle.bind(world.double.dispatcher);
      let broken = true;
      world.double.dispatcher.handle = (request) => {
        const upload = world.double.world.uploads.get(String(request.params.tmpfilename));
        if (upload !== undefined && broken) upload.checksum = '0'.repeat(64);
        return handle(request);
      };
      const { code, text } = await run({ world, home }, '--import-template');
      expect(code).toBe(1);
      expect(text).toContain('checksum mismatch');
      expect(imported(world)[0]!.config.virtio0).toBeUndefined();
      expect((await run({ world, home })).text).toContain(`note  template ${id}`);
      // To hostd it is no stranger.
      expect(await world.driver.list()).toEqual([]);
      broken = false;
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expectWhole(world);
    });

    test('waits for a task whose answer was lost instead of making a second machine', async () => {
      await world.close();
      // A create takes as long as it does there; until its end nobody may see what it makes.
      world = await openDriverWorld({ version, pace: 0.5 });
      Object.assign(world.settings, settings);
      world.double.faults.add('lostAnswer', { on: /^POST \/nodes\/\{node\}\/qemu$/, times: 1 });
      expect((await run({ world, home }, '--import-template')).code).toBe(1);
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expectWhole(world);
    });

    test('finishes a conversion that was cut off', async () => {
      await run({ world, home }, '--import-template');
      const [vm] = imported(world);
      for (const slot of ['virtio0', 'virtio1']) vm!.config[slot] = vm!.config[slot]!.replace('/base-', '/vm-');
      expect((await run({ world, home })).text).toContain('every clone is a full one');
      expect((await run({ world, home }, '--import-template')).code).toBe(0);
      expectWhole(world);
    });

    test('goes to each node that is named, and versions stand beside each other until they are collected', async () => {
      world.double.state.storages.lebureau!.shared = true;
      expect((await run({ world, home }, '--import-template', 'pve1', 'pve2')).code).toBe(0);
      expectWhole(world);
      expectWhole(world, id, 'pve2');
      const driver = world.again({ storage: undefined });
      await driver.clone({ ...spec, templateId: id });
      writeBuiltTemplate(home, { id: newer, builtAtMs: 9 });
      const { text } = await run({ world, home }, '--import-template', 'pve1');
      expect(text).toContain('2 older templates are there');
      expectWhole(world, newer);
      const collected = await run({ world, home }, '--collect-templates');
      expect(collected.text).toContain(`${id} (VM ${imported(world)[0]!.vmid}) stays: desktops are linked to it`);
      await driver.delete(vmRef, owner);
      await run({ world, home }, '--collect-templates');
      expect(imported(world)).toEqual([]);
      expectWhole(world, newer);
      expect(imported(world, id, 'pve2')).toHaveLength(1);
      driver.close();
    });

    test('tells what a node without a storage for uploads lacks', async () => {
      world.double.state.storages.lebureau!.content = ['iso'];
      expect((await run({ world, home }, '--import-template')).text).toContain(
        'pvesm set lebureau --content iso,import',
      );
      delete world.double.state.storages.lebureau;
      expect((await run({ world, home }, '--import-template')).text).toContain('pvesm add dir lebureau --path');
      expect(imported(world)).toEqual([]);
    });

    test('is begun anew or finished after it was killed, at each of its calls, and takes little memory', async () => {
      if (version === '8.4') return;
      await world.close();
      world = await openDriverWorld({ version, plain: false });
      writeFileSync(join(home, 'ca.pem'), world.double.ca);
      writeBuiltTemplate(home, { id, builtAtMs: 5, diskBytes: 300_000_000 });
      const { double, settings: used } = world;
      const environment = {
        PATH: process.env['PATH'],
        LEBUREAU_HOME: home,
        LEBUREAU_DRIVER: 'proxmox',
        LEBUREAU_PVE_URL: used.endpoint.url,
        LEBUREAU_PVE_CA: join(home, 'ca.pem'),
        LEBUREAU_PVE_TOKEN: used.token,
        LEBUREAU_PVE_NODE: 'pve1',
        LEBUREAU_PVE_STORAGE: 'local',
        LEBUREAU_PVE_BRIDGE: 'vmbr0',
        LEBUREAU_PVE_POOL: 'desks',
        LEBUREAU_PVE_BLOCKED: '203.0.113.0/24',
      };
      const main = join(import.meta.dirname, '../../hostd/main.ts');
      const start = () =>
        Bun.spawn([process.execPath, main, 'doctor', '--import-template'], {
          env: environment,
          stdout: 'pipe',
          stderr: 'pipe',
        });
      const handle = double.dispatcher.handle.bind(double.dispatcher);
      let onChange = () => {};
      double.dispatcher.handle = (request) => {
        if (request.method !== 'GET') onChange();
        return handle(request);
      };
      let peakKiB = 0;
      const whole = start();
      let changes = 0;
      onChange = () => {
        changes += 1;
        peakKiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${whole.pid}/status`, 'utf8'))?.[1]);
      };
      expect(await whole.exited, await new Response(whole.stdout).text()).toBe(0);
      expectWhole(world);
      expect(changes).toBeGreaterThan(10);
      expect(peakKiB).toBeLessThan(280_000);
      await removeImported(world);
      onChange = () => {};
      const amidst = start();
      const output = amidst.stdout.getReader();
      for (let text = ''; !text.includes('uploading');)
        text += Buffer.from((await output.read()).value ?? []).toString();
      await Bun.sleep(150);
      amidst.kill('SIGKILL');
      await amidst.exited;
      writeBuiltTemplate(home, { id, builtAtMs: 5 });
      for (let at = 1; at <= changes; at++) {
        await removeImported(world);
        let count = 0;
        const child = start();
        onChange = () => {
          count += 1;
          if (count === at) child.kill('SIGKILL');
        };
        await child.exited;
        onChange = () => {};
        Object.assign(world.settings, settings);
        await quiet(world);
        const again = await run({ world, home }, '--import-template');
        if (again.code !== 0) throw new Error(`killed at change ${at}: ${again.text}`);
        expectWhole(world);
      }
      expect(existsSync(join(home, 'import-boot.raw'))).toBe(false);
    }, 180_000);
  },
);

/** What a killed import had begun goes on in its task. */
async function quiet({ double }: DriverWorld): Promise<void> {
  const isQuiet = () => Object.values(double.state.tasks).every((task) => task.exitstatus !== undefined);
  await expect.poll(isQuiet, { timeout: 30_000 }).toBe(true);
}

/** As root would. */
async function removeImported(world: DriverWorld): Promise<void> {
  await quiet(world);
  const { double } = world;
  for (const vm of Object.values(double.state.vms)) {
    if (vm.config.description?.includes(id) !== true) continue;
    delete double.state.vms[vm.vmid];
    delete double.state.firewalls[`/vms/${vm.vmid}`];
    const pool = double.state.pools.desks!;
    pool.members = pool.members.filter((one) => one !== vm.vmid);
  }
  double.state.files = {};
}
