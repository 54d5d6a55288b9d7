import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runDoctor } from '@lebureau/hostd/doctor/doctor';
import { gatewayMac } from '@lebureau/hostd/hypervisor/proxmox/addressing';
import { openSite } from '@lebureau/hostd/hypervisor/proxmox/openSite';
import { writeTemplateMarker } from '@lebureau/hostd/hypervisor/proxmox/marker';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { keysOf, mac, openDriverWorld, spec, vmRef, type DriverWorld } from './driverWorld.ts';

describe.skipIf(findReference() === undefined).each(['8.4', '9.2'] as const)(
  'the doctor on Proxmox VE %s',
  (version) => {
    let world: DriverWorld;
    let home: string;
    beforeEach(async () => {
      home = mkdtempSync(join(tmpdir(), 'lb-doctor-'));
      world = await openDriverWorld({
        version,
        onExec: (command, input) => (command[0] === '/bin/sh' ? inside(input) : undefined),
      });
    });
    afterEach(async () => {
      rmSync(home, { recursive: true });
      await world.close();
    });

    let opened: string[] = [];
    const inside = (input: string) => ({
      exitcode: 0,
      out: input.includes('tried') ? `${opened.join('\n')}\ntried\n` : '',
    });
    const examine = async (argv: string[] = [], change = {}) => {
      const lines: string[] = [];
      const settings = { ...world.settings, ...change };
      const siteOf = (node = settings.node) =>
        openSite({ settings: { ...settings, node }, clock: systemClock, log: silentLog, keysOf });
      const code = await runDoctor({ siteOf, home, argv, print: (line) => lines.push(line) });
      return { code, text: lines.join('\n') };
    };

    test('finds nothing wrong where nothing is', async () => {
      expect(await examine()).toMatchObject({ code: 0, text: expect.stringContaining('Nothing is wrong.') });
    });

    test('names each privilege that is missing and the line that gives it', async () => {
      const { state } = world.double;
      state.roles.DeskPool = state.roles.DeskPool!.filter((each) => each !== 'VM.Console' && each !== 'VM.Clone');
      state.acl = state.acl.filter((entry) => entry.role !== 'DeskBridge');
      const { code, text } = await examine();
      expect(code).toBe(1);
      expect(text).toContain('desk@pve!t1 lacks VM.Clone, VM.Console on /pool/desks');
      expect(text).toContain("pveum acl modify /pool/desks --roles LeBureauPool --propagate 1 --tokens 'desk@pve!t1'");
      expect(text).toContain('lacks SDN.Use on /sdn/zones/localnetwork/vmbr0');
      expect(text).toContain(version === '8.4' ? 'VM.Monitor' : 'VM.GuestAgent.Unrestricted');
    });

    test('tells a wrong token, a wrong certificate and nobody there', async () => {
      const token = world.settings.token.replace(/=.*/, `=${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}`);
      expect((await examine([], { token })).text).toContain('pveum user token add desk@pve t1');
      const { code, text } = await examine([], { endpoint: { url: 'http://127.0.0.1:9' } });
      expect(code).toBe(1);
      expect(text).toContain('pve-root-ca.pem');
    });

    test('tells that what was built is not imported, and how to switch the firewall on', async () => {
      const id = `tpl_${'1'.repeat(26)}`;
      mkdirSync(join(home, 'templates', id), { recursive: true });
      const file = {
        id,
        name: 'Debian',
        builtAtMs: 5,
        kernelArgs: 'root=/dev/vda ip=10.0.2.15::1 quiet',
        diskVirtualGiB: 8,
      };
      writeFileSync(join(home, 'templates', id, 'template.json'), JSON.stringify(file));
      world.double.state.firewalls['/']!.options.enable = 0;
      const { text } = await examine();
      expect(text).toContain(`template ${id} was built and is not imported`);
      expect(text).toContain('doctor --import-template');
      expect(text).toContain('pvesh set /cluster/firewall/options --enable 1');
      expect(text).toContain('2 of ');
      world.double.state.storages.lebureau!.content = ['iso'];
      expect((await examine()).text).toContain('pvesm set lebureau --content iso,import');
      delete world.double.state.storages.lebureau;
      expect((await examine()).text).toContain(
        'pvesm add dir lebureau --path /var/lib/lebureau-import --content import',
      );
    });

    test('tries the doors of the node from inside a guest', async () => {
      await world.driver.clone(spec);
      await world.driver.start(vmRef, { boot: 1, mac });
      opened = ['open 9.9.9.9 53'];
      await expect.poll(async () => (await examine()).text).toContain('from inside VM');
      expect((await examine()).code).toBe(0);
      opened = ['open 9.9.9.9 53', 'open 10.10.10.1 8006'];
      expect((await examine()).text).toContain('10.10.10.1:8006 is open');
      opened = [];
      world.double.state.firewalls[`/vms/${world.vms()[0]!.vmid}`]!.options.enable = 0;
      expect((await examine()).text).toContain('is not closed in');
    });

    test('removes an old template when nothing is linked to it any more', async () => {
      await world.driver.clone(spec);
      const { state, templateId } = world.double;
      const old = state.vms[templateId]!;
      const marker = { templateId: `tpl_${'2'.repeat(26)}`, name: 'new', diskMiB: 1024, builtAtMs: 9 };
      state.vms[9002] = structuredClone({ ...old, vmid: 9002 });
      Object.assign(state.vms[9002].config, {
        description: writeTemplateMarker(marker),
        scsi0: 'local:9002/base-9002-disk-0.qcow2,size=1G',
        ide2: 'local:9002/vm-9002-cloudinit.qcow2,media=cdrom',
      });
      state.pools.desks!.members.push(9002);
      expect((await examine(['--collect-templates'])).text).toContain('stays: desktops are linked to it');
      await world.driver.delete(vmRef, spec.owner);
      expect((await examine(['--collect-templates'])).text).toContain('was removed');
      expect(Object.keys(state.vms)).toEqual(['9002']);
    });

    test('wants a version to which disks can be uploaded', async () => {
      const { facts } = world.double.world;
      Object.assign(world.double.world, { facts: { ...facts, version: '8.3.5' } });
      expect((await examine()).text).toContain('Proxmox VE 8.3.5 is not supported; from 8.4 and from 9.0 on');
    });

    test('prints a setup script that names every role and nothing secret', async () => {
      const { code, text } = await examine(['--print-setup', version.slice(0, 1)]);
      expect(code).toBe(0);
      expect(text).toContain('pveum user token add desk@pve t1 --privsep 1');
      expect(text).toContain('pvesm add dir lebureau --path /var/lib/lebureau-import --content import');
      expect(text).not.toContain(world.settings.token.split('=')[1]);
      for (const role of ['LeBureauPool', 'LeBureauStorage', 'LeBureauBridge', 'LeBureauAudit', 'LeBureauImport'])
        expect(text).toContain(role);
      expect(Bun.spawnSync(['sh', '-n'], { stdin: Buffer.from(text) }).exitCode).toBe(0);
    });

    test('the setup script gives a bridge of before its own hardware address, once', async () => {
      const { text } = await examine(['--print-setup', version.slice(0, 1)]);
      const [, fresh = ''] = /<<'END'\n(auto [\s\S]*?)END\n/.exec(text) ?? [];
      const { bridge, guestNetwork } = world.settings;
      const wanted = `    post-up ip link set dev ${bridge} address ${gatewayMac(guestNetwork.gateway)}\n`;
      expect(fresh).toContain(wanted);
      const file = join(mkdtempSync(join(tmpdir(), 'lb-interfaces-')), 'lebureau');
      writeFileSync(file, fresh.replace(wanted, ''));
      const [, condition = '', edit = ''] = /elif (.*); then\n(.*sed -i .*)\n/.exec(text) ?? [];
      const script = `if ${condition}; then ${edit}; echo done; fi`.replaceAll(
        '/etc/network/interfaces.d/lebureau',
        file,
      );
      const run = () => Bun.spawnSync(['sh', '-c', script]).stdout.toString();
      expect([run(), run()]).toEqual(['done\n', '']);
      expect(readFileSync(file, 'utf8').split(wanted)).toHaveLength(2);
    });
  },
);
