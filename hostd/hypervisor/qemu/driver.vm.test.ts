import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import type { InitExecResult } from '../../guest/init/channel.ts';
import { openInitChannel } from '../../guest/init/client.ts';
import type { VmSeen, VmSpec } from '../driver.ts';
import { runCommand } from './command.ts';
import { openQemuDriver, type QemuDriver, type QemuDriverOptions } from './driver.ts';
import { readBoot, vmPaths } from './files.ts';
import { isOff } from './isOff.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from './process.ts';
import { Qmp } from './qmp.ts';
import { connectUnix } from './socket.ts';

const templateHome = process.env['LEBUREAU_TEST_HOME'];
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? 'needs root'
    : existsSync(templates)
      ? ''
      : 'LEBUREAU_TEST_HOME names no folder with a template';

const mac = '52:54:00:12:34:56';
const home = skip ? '' : mkdtempSync('/var/tmp/lb-driver-');
let driver: QemuDriver;
let templateId = '';

function open(at: string, options: Partial<QemuDriverOptions> = {}): Promise<QemuDriver> {
  return openQemuDriver({ home: at, clock: systemClock, log: silentLog, namespacesReady: 1, ...options });
}

function spec(vmRef: string, over: Partial<VmSpec> = {}): VmSpec {
  return {
    vmRef,
    owner: `asg_${vmRef}`,
    templateId,
    vcpus: 1,
    memoryMiB: 1024,
    diskGiB: 8,
    network: 'internet',
    ...over,
  };
}

async function started(vmRef: string, over: Partial<VmSpec> = {}): Promise<ProcessIdentity> {
  await driver.clone(spec(vmRef, over));
  await driver.start(vmRef, { boot: 1, mac });
  return processOf(vmRef);
}

async function processOf(vmRef: string): Promise<ProcessIdentity> {
  const record = await readBoot(vmPaths(home, vmRef).boot);
  if (!record || record === 'damaged' || !record.process) throw new Error('no process was written down');
  return record.process;
}

async function exec(vmRef: string, script: string, timeoutMs = 30_000): Promise<InitExecResult & { text: string }> {
  const channel = openInitChannel(await driver.openInit(vmRef), systemClock);
  try {
    const result = await channel.exec({
      argv: ['/bin/sh', '-c', script],
      user: 'root',
      timeoutMs,
      outputMaxBytes: 65_536,
    });
    return { ...result, text: Buffer.from(result.stdout).toString() };
  } finally {
    channel.close();
  }
}

async function until(
  vmRef: string,
  wanted: (seen: VmSeen | undefined) => boolean,
  timeoutMs = 60_000,
): Promise<VmSeen | undefined> {
  const untilMs = systemClock.monotonicMs() + timeoutMs;
  for (;;) {
    const seen = await driver.look(vmRef);
    if (wanted(seen) || systemClock.monotonicMs() > untilMs) return seen;
    await systemClock.sleep(100);
  }
}

describe.skipIf(skip !== '')(`QEMU driver ${skip}`, () => {
  beforeAll(async () => {
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    driver = await open(home);
    const warm = (await driver.facts()).templates.find((each) => each.warmSizes.includes('1x1024'));
    expect(warm, 'a template that is warm in size 1x1024').toBeDefined();
    templateId = warm?.id ?? '';
  });

  afterAll(async () => {
    for (const each of await driver.list()) await driver.delete(each.vmRef, each.owner ?? '');
    await driver.close();
    const { block } = JSON.parse(readFileSync(join(home, 'instance.json'), 'utf8')) as { block: number };
    expect(await runCommand('nft', ['list', 'tables'])).not.toContain(`lebureau${block}\n`);
    expect(readdirSync('/sys/class/net').filter((link) => link.startsWith(`lb${block}v`))).toEqual([]);
    rmSync(home, { recursive: true });
  });

  test('a warm clone runs, confined, as a user of its own, and answers', async () => {
    const { pid } = await started('warm');
    expect(await driver.look('warm')).toMatchObject({
      vmRef: 'warm',
      owner: 'asg_warm',
      complete: true,
      power: 'running',
      boot: 1,
      startMode: 'warm',
    });
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [uid] = /^Uid:\t(\d+)\t\1\t\1\t\1$/m.exec(status)?.slice(1) ?? [];
    expect(Number(uid)).toBeGreaterThanOrEqual(400_000);
    expect(status).toMatch(/^Groups:\s*$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(readlinkSync(`/proc/${pid}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'));
    expect((await exec('warm', 'cat /proc/uptime; id -u')).text).toMatch(/\n0\n$/);
    const display = await driver.openDisplay('warm');
    const hello = await new Promise((resolve) =>
      display.stream.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    expect(hello).toBe('RFB 003.008\n');
    display.stream.destroy();
  });

  test('nothing of the template, of the memory or of another VM can be written or read by the uid of a QEMU', async () => {
    const { pid } = await processOf('warm');
    await started('other', { network: 'none' });
    const uid = statSync(vmPaths(home, 'warm').run).uid;
    const folder = join(templates, templateId);
    const as = (script: string, file: string) => {
      const args = [
        `--reuid=${uid}`,
        `--regid=${uid}`,
        '--clear-groups',
        '--no-new-privs',
        '--',
        'sh',
        '-c',
        script,
        'sh',
        file,
      ];
      try {
        execFileSync('setpriv', args, { stdio: 'pipe' });
        return 'done';
      } catch {
        return 'refused';
      }
    };
    const warmFolder = join(folder, 'warm');
    const files = [
      join(folder, 'disk.qcow2'),
      join(folder, 'vmlinux'),
      join(folder, 'initrd'),
      join(folder, 'template.json'),
    ];
    for (const key of readdirSync(warmFolder)) {
      for (const name of ['ram', 'device-state', 'disk.qcow2', 'warm.json']) files.push(join(warmFolder, key, name));
    }
    expect(files.length).toBeGreaterThanOrEqual(8);
    for (const file of files.filter((each) => existsSync(each))) {
      expect([file, as(': >> "$1"', file)]).toEqual([file, 'refused']);
      expect([file, as('mv "$1" "$1.x"', file)]).toEqual([file, 'refused']);
    }
    const others = vmPaths(home, 'other');
    for (const file of [
      others.disk,
      others.marker,
      others.boot,
      vmPaths(home, 'warm').marker,
      vmPaths(home, 'warm').boot,
    ]) {
      expect([file, as('cat "$1" > /dev/null', file)]).toEqual([file, 'refused']);
    }
    // The control: what is its own, it may write.
    expect(as(': >> "$1"', `/proc/${pid}/cwd/disk.qcow2`)).toBe('done');
    const ram = `/proc/${pid}/fd/4`;
    expect(readlinkSync(ram)).toContain('memfd:lebureau-ram');
    expect(as('printf x | dd of="$1" conv=notrunc status=none', ram)).toBe('refused');
    expect(() => writeFileSync(ram, 'x', { flag: 'r+' })).toThrow(/EPERM/);
  });

  test('a guest reaches nothing of the host, and with network none nothing at all', async () => {
    const pairs = ['10.0.2.2 22', '10.0.2.2 18081', '169.254.169.254 80', '10.0.0.1 80'];
    const script = `for each in '${pairs.join("' '")}'; do timeout 3 bash -c "exec 3<>/dev/tcp/\${each% *}/\${each#* }" 2>/dev/null && echo "$each"; done; echo end`;
    const service = Bun.listen({ hostname: '0.0.0.0', port: 18_081, socket: { data: () => {} } });
    for (const vmRef of ['warm', 'other']) expect([vmRef, (await exec(vmRef, script)).text]).toEqual([vmRef, 'end\n']);
    service.stop(true);
  });

  test('hostd reaches a port of the guest, with network none too', async () => {
    for (const vmRef of ['warm', 'other']) {
      const listening = exec(
        vmRef,
        `timeout 25 python3 -c "import socket; s = socket.create_server(('', 7000)); c, _ = s.accept(); c.sendall(b'here')"`,
      );
      let text = '';
      for (let attempt = 0; attempt < 40 && text === ''; attempt++) {
        const stream = await driver.openPort(vmRef, 7000);
        stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
        await new Promise((resolve) => stream.once('close', resolve));
        if (text === '') await systemClock.sleep(250);
      }
      expect([vmRef, text]).toEqual([vmRef, 'here']);
      await listening;
    }
  });

  test('a VM outlives its driver, and the next driver finds it', async () => {
    const before = await processOf('warm');
    await driver.close();
    expect(isAlive(before)).toBe(true);
    driver = await open(home);
    expect(await driver.look('warm')).toMatchObject({ power: 'running', boot: 1 });
    expect((await exec('warm', 'echo still here')).text).toBe('still here\n');
    await driver.start('warm', { boot: 1, mac });
    expect(await processOf('warm')).toEqual(before);
  });

  test('effects may be repeated, other owners are refused', async () => {
    await driver.clone(spec('warm'));
    await expect(driver.clone(spec('warm', { owner: 'asg_else' }))).rejects.toMatchObject({ code: 'not_ours' });
    await expect(driver.delete('warm', 'asg_else')).rejects.toMatchObject({ code: 'not_ours' });
    await expect(driver.start('warm', { boot: 2, mac })).rejects.toMatchObject({ code: 'hypervisor_failed' });
    await expect(driver.start('absent', { boot: 1, mac })).rejects.toMatchObject({ code: 'vm_missing' });
    await expect(
      driver.clone(spec('no-template', { templateId: 'tpl_7zzzzzzzzzzzzzzzzzzzzzzzzz' })),
    ).rejects.toMatchObject({ code: 'template_missing' });
    expect(await driver.look('no-template')).toBeUndefined();
    expect(await driver.look('absent')).toBeUndefined();
    await driver.delete('absent', 'asg_absent');
    expect(await driver.look('warm')).toMatchObject({ power: 'running' });
  });

  test('a killed QEMU is a crash, and its disk starts cold', async () => {
    await exec('other', 'echo kept > /var/kept; sync');
    const { pid } = await processOf('other');
    process.kill(pid, 'SIGKILL');
    const crashed = await until('other', (seen) => seen?.power === 'off');
    expect(crashed).toMatchObject({ power: 'off', boot: 1, offBecause: 'crashed' });
    await driver.start('other', { boot: 2, mac });
    expect(await driver.look('other')).toMatchObject({ power: 'running', boot: 2, startMode: 'cold' });
    expect((await exec('other', 'cat /var/kept', 200_000)).text).toBe('kept\n');
  });

  test('a guest that powers itself off, even while no driver looks, is told from one that was cut off', async () => {
    const process = await processOf('other');
    await exec('other', `sync; setsid sh -c 'sleep 3; echo o > /proc/sysrq-trigger' </dev/null >/dev/null 2>&1 &`);
    await driver.close();
    await expect.poll(() => isOff(vmPaths(home, 'other').run, process), { timeout: 60_000 }).toBe(true);
    driver = await open(home);
    const off = await until('other', (seen) => seen?.power === 'off');
    expect(off).toMatchObject({ power: 'off', boot: 2, offBecause: 'guest' });
    expect(isAlive(process)).toBe(false);
    expect(await driver.look('other')).toMatchObject({ power: 'off', offBecause: 'guest' });
  });

  test('a guest that was halted goes on with its memory when the same boot is started again', async () => {
    const process = await processOf('warm');
    await exec('warm', 'echo kept > /run/kept');
    await driver.close();
    const qmp = new Qmp(
      await connectUnix(join(vmPaths(home, 'warm').run, 'qmp.sock'), { clock: systemClock, timeoutMs: 5000 }),
    );
    await qmp.execute('stop');
    qmp.close();
    driver = await open(home);
    expect(await driver.look('warm')).toMatchObject({ power: 'paused', boot: 1 });
    await driver.start('warm', { boot: 1, mac });
    expect(await driver.look('warm')).toMatchObject({ power: 'running', boot: 1, startMode: 'warm' });
    expect(await processOf('warm')).toEqual(process);
    expect((await exec('warm', 'cat /run/kept')).text).toBe('kept\n');
  });

  test('kill is a power cut that was asked for', async () => {
    const process = await processOf('warm');
    await driver.kill('warm');
    expect(isAlive(process)).toBe(false);
    expect(await driver.look('warm')).toMatchObject({ power: 'off', boot: 1, offBecause: 'requested' });
    await driver.kill('warm');
    await expect(driver.openInit('warm')).rejects.toMatchObject({ code: 'guest_unreachable' });
  });

  test('a stop is obeyed by the guest', async () => {
    await started('polite');
    await exec('polite', 'true');
    await driver.requestStop('polite');
    const off = await until('polite', (seen) => seen?.power === 'off', 120_000);
    expect(off).toMatchObject({ power: 'off', boot: 1, offBecause: 'requested' });
  });

  test('what hostd left half-done is finished', async () => {
    await driver.clone(spec('half'));
    const paths = vmPaths(home, 'half');
    rmSync(paths.run, { recursive: true });
    mkdirSync(paths.making);
    expect(await driver.look('half')).toMatchObject({ owner: 'asg_half', complete: false, power: 'off', boot: 0 });
    await driver.clone(spec('half'));
    expect(await driver.look('half')).toMatchObject({ complete: true, boot: 0 });
    const starting = { boot: 1, mac, startMode: 'warm', phase: 'starting', formerBoot: 0 };
    writeFileSync(paths.boot, JSON.stringify(starting));
    expect(await driver.look('half')).toMatchObject({ power: 'off', boot: 0 });
    await driver.start('half', { boot: 1, mac });
    expect(await driver.look('half')).toMatchObject({ power: 'running', boot: 1, startMode: 'cold' });
    // hostd died after the guest ran and before it wrote that down: adopted, and not started twice.
    writeFileSync(paths.boot, JSON.stringify(starting));
    expect(await driver.look('half')).toMatchObject({ power: 'running', boot: 1 });
  });

  test('delete leaves nothing, from any condition', async () => {
    const process = await processOf('half');
    await driver.delete('half', 'asg_half');
    expect(isAlive(process)).toBe(false);
    expect(existsSync(vmPaths(home, 'half').folder)).toBe(false);
    expect(await driver.look('half')).toBeUndefined();
    await driver.delete('half', 'asg_half');
    await driver.clone(spec('never-started'));
    rmSync(vmPaths(home, 'never-started').run, { recursive: true });
    await driver.delete('never-started', 'asg_never-started');
    expect(await driver.list().then((all) => all.map((each) => each.vmRef).toSorted())).toEqual([
      'other',
      'polite',
      'warm',
    ]);
  });

  test('a QEMU whose folder is gone is seen and can be ended', async () => {
    const stray = await started('lost');
    rmSync(vmPaths(home, 'lost').folder, { recursive: true });
    expect(await driver.list()).toContainEqual({ vmRef: 'lost', complete: false, power: 'running', boot: 0 });
    await driver.delete('lost', '');
    expect(identifyProcess(stray.pid)).toBeUndefined();
    expect(await driver.look('lost')).toBeUndefined();
  });

  test('an overlay that was written by hand is sound for qemu-img', async () => {
    const paths = vmPaths(home, 'polite');
    expect(await runCommand('qemu-img', ['check', paths.disk])).toContain('No errors');
  });

  test('a QEMU that does not listen is seen as broken and can be killed', async () => {
    const wedged = await started('wedged');
    process.kill(wedged.pid, 'SIGSTOP');
    const seen = await driver.look('wedged');
    expect(seen).toMatchObject({ power: 'broken', boot: 1 });
    expect(seen?.trouble).toContain('does not answer');
    await driver.delete('wedged', 'asg_wedged');
    expect(isAlive(wedged)).toBe(false);
  });

  test('a warm state that does not load is no reason not to start', async () => {
    const other = mkdtempSync('/var/tmp/lb-spoilt-');
    chmodSync(other, 0o755);
    const folder = join(other, 'templates', templateId);
    const real = join(templates, templateId);
    mkdirSync(join(folder, 'warm'), { recursive: true });
    for (const name of readdirSync(real)) if (name !== 'warm') symlinkSync(join(real, name), join(folder, name));
    for (const key of readdirSync(join(real, 'warm'))) {
      mkdirSync(join(folder, 'warm', key));
      const names = readdirSync(join(real, 'warm', key)).filter((name) => name !== 'device-state');
      for (const name of names) symlinkSync(join(real, 'warm', key, name), join(folder, 'warm', key, name));
      writeFileSync(join(folder, 'warm', key, 'device-state'), 'no device state');
    }
    const spoilt = await open(other);
    await spoilt.clone(spec('spoilt'));
    await spoilt.start('spoilt', { boot: 1, mac });
    expect(await spoilt.look('spoilt')).toMatchObject({ power: 'running', startMode: 'cold', boot: 1 });
    await spoilt.delete('spoilt', 'asg_spoilt');
    await spoilt.close();
    rmSync(other, { recursive: true });
  });

  test('what a deleted home left on the network is cleared away by the next one', async () => {
    const forgotten = mkdtempSync('/var/tmp/lb-forgotten-');
    chmodSync(forgotten, 0o755);
    const links = () =>
      readdirSync('/sys/class/net').filter((link) =>
        readFileSync(`/sys/class/net/${link}/ifalias`, 'utf8').includes(forgotten),
      );
    await open(forgotten);
    expect(links()).not.toEqual([]);
    rmSync(forgotten, { recursive: true });
    await driver.close();
    driver = await open(home);
    expect(links()).toEqual([]);
  });

  test('a full disk is told as such and leaves nothing', async () => {
    const small = mkdtempSync('/var/tmp/lb-small-');
    await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=755', 'tmpfs', small]);
    symlinkSync(templates, join(small, 'templates'));
    const reserved = await open(small);
    await expect(reserved.clone(spec('full'))).rejects.toMatchObject({ code: 'disk_full' });
    await reserved.close();
    const eager = await open(small, { diskReserveMiB: 0 });
    try {
      writeFileSync(join(small, 'filling'), Buffer.alloc(960 << 10));
      await expect(eager.clone(spec('full'))).rejects.toMatchObject({ code: 'disk_full' });
      expect(readdirSync(join(small, 'vms'))).toEqual([]);
      rmSync(join(small, 'filling'));
      await eager.clone(spec('full'));
      await eager.delete('full', 'asg_full');
    } finally {
      await eager.close();
      await runCommand('umount', [small]);
      rmSync(small, { recursive: true });
    }
  });
});
