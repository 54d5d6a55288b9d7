import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bootCommandLine } from '@lebureau/hostd/template/bootCommandLine';
import { makeBootDisk } from '@lebureau/hostd/template/bootDisk';
import { GuestAgent } from './guest/guestAgent.ts';

const templates = join(process.env['LEBUREAU_TEST_HOME'] ?? '/nowhere', 'templates');
const folders = existsSync(templates) ? readdirSync(templates).map((name) => join(templates, name)) : [];
const folder = folders.find((each) => existsSync(join(each, 'vmlinuz')));
const skip = folder === undefined ? 'LEBUREAU_TEST_HOME names no folder with a template that has a vmlinuz' : '';

/** What Proxmox VE gives a VM: SeaBIOS, devices behind a PCI bridge, disks of `virtio0` and `virtio1`. */
function hardware(run: string): string[] {
  return [
    ...['-machine', 'q35,accel=tcg', '-cpu', 'Nehalem', '-m', '1024', '-nodefaults', '-no-user-config'],
    ...['-device', 'i82801b11-bridge,id=pcidmi,bus=pcie.0,addr=1e.0'],
    ...['-device', 'pci-bridge,id=pci.0,bus=pcidmi,addr=1.0,chassis_nr=1'],
    ...['-boot', 'menu=on,strict=on,reboot-timeout=1000', '-vga', 'std', '-display', 'none', '-rtc', 'base=utc'],
    ...['-chardev', `socket,path=${run}/agent.sock,server=on,wait=off,id=qga0`],
    ...['-device', 'virtio-serial,id=qga0,bus=pci.0,addr=0x8'],
    ...['-device', 'virtserialport,chardev=qga0,name=org.qemu.guest_agent.0'],
    ...['-drive', `file=${run}/root.qcow2,if=none,id=drive-virtio0,format=qcow2,cache=none,discard=on`],
    ...['-device', 'virtio-blk-pci,drive=drive-virtio0,id=virtio0,bus=pci.0,addr=0xa'],
    ...['-drive', `file=${run}/boot.raw,if=none,id=drive-virtio1,format=raw,cache=none`],
    ...[
      '-device',
      'virtio-blk-pci,drive=drive-virtio1,id=virtio1,bus=pci.0,addr=0xb,serial=lebureau-boot,bootindex=100',
    ],
    ...['-netdev', 'user,id=net0,restrict=on'],
    ...['-device', 'virtio-net-pci,mac=BC:24:11:00:00:01,netdev=net0,bus=pci.0,addr=0x12,id=net0'],
  ];
}

async function outputOf(agent: GuestAgent, script: string): Promise<string> {
  const given = { path: '/bin/sh', arg: ['-c', script], 'capture-output': true };
  const { pid } = (await agent.run('guest-exec', given)) as { pid: number };
  for (;;) {
    const status = (await agent.run('guest-exec-status', { pid })) as { exited: boolean; 'out-data'?: string };
    if (status.exited) return Buffer.from(status['out-data'] ?? '', 'base64').toString();
    await Bun.sleep(300);
  }
}

describe.skipIf(skip !== '')(`a template that starts from its boot disk ${skip}`, () => {
  const run = mkdtempSync('/var/tmp/lb-boot-');
  afterAll(() => rmSync(run, { recursive: true }));

  test('with the BIOS of a PC, until its guest agent answers', async () => {
    const { kernelArgs } = JSON.parse(readFileSync(join(folder!, 'template.json'), 'utf8')) as { kernelArgs: string };
    const commandLine = bootCommandLine(kernelArgs, 'tcg');
    await makeBootDisk({
      folder: folder!,
      commandLine,
      target: `${run}/boot.raw`,
      signal: AbortSignal.timeout(60_000),
    });
    const overlay = ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', `${folder}/disk.qcow2`, `${run}/root.qcow2`];
    expect(spawnSync('qemu-img', overlay).status).toBe(0);
    const qemu = spawn('qemu-system-x86_64', hardware(run), { stdio: 'ignore' });
    try {
      const agent = new GuestAgent(`${run}/agent.sock`, 3_000);
      await expect
        .poll(() => agent.run('guest-ping', {}).catch(() => 'nobody'), { timeout: 150_000, interval: 500 })
        .toEqual({});
      expect(await outputOf(agent, 'findmnt -no SOURCE,FSTYPE /')).toBe('/dev/vda ext4\n');
      expect(await outputOf(agent, 'ls /sys/class/net')).toContain('eth0');
      expect(await outputOf(agent, 'readlink /dev/disk/by-id/virtio-lebureau-boot')).toBe('../../vdb\n');
    } finally {
      const ended = new Promise((resolve) => qemu.once('exit', resolve));
      qemu.kill('SIGKILL');
      await ended;
    }
  });
});
