import { type AddressInfo, createServer } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Display } from '@lebureau/hostd/guest/display/display';
import { openInitChannel } from '@lebureau/hostd/guest/init/client';
import { nativeInitLacks } from '@lebureau/hostd/guest/shell/nativeInit';
import { guestAddress } from '@lebureau/hostd/hypervisor/proxmox/addressing';
import { buildInitProgram } from '@lebureau/hostd/template/initProgram';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { findReference } from './api/reference.ts';
import { serveStill } from './guest/stillDisplay.ts';
import { keysOf, mac, openDriverWorld, owner, spec, vmRef, type DriverWorld } from './driverWorld.ts';

const loopback = { cidr: '127.77.0.0/16', gateway: '127.77.0.1', resolver: '9.9.9.9', blocked: [] };
const lacks = findReference() === undefined ? 'needs shared/reference' : nativeInitLacks();

describe.skipIf(lacks !== undefined)('ways into a guest on Proxmox VE', () => {
  let world: DriverWorld;
  let folder: string;
  let scripts: string[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lb-guest-'));
    scripts = [];
    world = await openDriverWorld({
      version: '9.2',
      nodes: ['pve1', 'pve2'],
      plain: false,
      bootMs: 0,
      onExec: (command, input) => {
        if (command[0] !== '/bin/sh') return undefined;
        scripts.push(input);
        return { exitcode: 0 };
      },
    });
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await world.close();
  });

  const running = async () => {
    const driver = world.again({ guestNetwork: loopback });
    await driver.clone(spec);
    await driver.start(vmRef, { boot: 1, mac });
    return driver;
  };
  /** Does to a folder what the agent's script does to a guest. */
  const applied = (script: string) => {
    const here = script.replaceAll('/etc/', `${folder}/etc/`);
    const { exitCode } = Bun.spawnSync(['sh'], {
      stdin: Buffer.from(here),
      env: { ...process.env, LB_NO_NETWORK: '1' },
    });
    expect(exitCode).toBe(0);
    return (path: string) => readFileSync(join(folder, path), 'utf8');
  };

  test('the agent brings address and keys, and the real init program answers over SSH', async () => {
    const program = join(folder, 'init');
    await buildInitProgram(program, AbortSignal.timeout(60_000));
    const driver = await running();
    const address = guestAddress(world.vms()[0]!.vmid, world.settings.vmids, loopback);
    await expect(driver.openInit(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
    const file = applied(scripts[0]!);
    expect(file('etc/systemd/network/10-lebureau.network')).toContain(`Address=${address}/16`);
    const sshd = await serveSsh(address, {
      hostKey: file('etc/ssh/ssh_host_ed25519_key'),
      clientKey: file('etc/ssh/lebureau_authorized_keys'),
      argv: [program, '--device', 'stdio', '--root', folder, '--display', join(folder, 'display')],
    });
    const init = openInitChannel(await driver.openInit(vmRef), systemClock);
    expect(await init.health(5_000)).toMatchObject({ protocol: 1, displayUp: false });
    expect(sshd.commands).toEqual(['/usr/lib/lebureau/init --device stdio']);
    const exec = { argv: ['echo', 'here'], user: 'root', cwd: '/', timeoutMs: 5_000, outputMaxBytes: 100 };
    expect(Buffer.from((await init.exec(exec)).stdout).toString()).toBe('here\n');
    const again = openInitChannel(await driver.openInit(vmRef), systemClock);
    expect(await again.health(5_000)).toMatchObject({ protocol: 1 });
    await expect(init.health(1_000)).rejects.toMatchObject({ code: 'guest_unreachable' });
    const asked = scripts.length;
    const later = await world.again({ guestNetwork: loopback }).openInit(vmRef);
    expect(scripts.length).toBe(asked + 1);
    later.destroy();
    again.close();
    driver.close();
    sshd.stop();
  });

  test('a guest that came from another node does not know this one’s keys, and is given them', async () => {
    world.double.state.storages.local!.shared = true;
    const driver = await running();
    await driver.kill(vmRef);
    await driver.start(vmRef, { boot: 2, mac });
    const address = guestAddress(world.vms()[0]!.vmid, world.settings.vmids, loopback);
    const { hostKey, clientKey } = keysOf(owner);
    const sshd = await serveSsh(address, {
      hostKey: hostKey.privateKey,
      clientKey: clientKey.publicKey,
      argv: ['cat'],
    });
    (await driver.openInit(vmRef)).destroy();
    await driver.migrate!({ vmRef, owner, to: 'pve2', identity: { mac, machineId: 'ab'.repeat(16) } });
    const others = Buffer.alloc(32, 9);
    const there = world.again({ node: 'pve2', guestNetwork: loopback }, systemClock, others);
    await expect(there.openInit(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
    expect(scripts).toHaveLength(1);
    const file = applied(scripts[0]!);
    expect(file('etc/ssh/ssh_host_ed25519_key.pub').trim()).toBe(keysOf(owner, others).hostKey.publicKey);
    expect(file('etc/ssh/lebureau_authorized_keys')).toContain(keysOf(owner, others).clientKey.publicKey);
    expect(file('etc/systemd/network/10-lebureau.network')).toContain(`Address=${address}/16`);
    sshd.stop();
  });

  test('the display is that of the hypervisor, over TLS with a checked certificate', async () => {
    const driver = await running();
    const display = new Display({ open: () => driver.openDisplay(vmRef), clock: systemClock, log: silentLog });
    const frame = await display.fresh();
    expect(frame.width).toBeGreaterThan(100);
    display.close();
    const { ca: _, ...rest } = world.settings.endpoint;
    const pinned = world.again({ endpoint: { ...rest, fingerprint: world.double.fingerprint } });
    expect(await pinned.look(vmRef)).toMatchObject({ power: 'running' });
    for (const endpoint of [rest, { ...rest, fingerprint: Array.from({ length: 32 }, () => '00').join(':') }]) {
      await expect(world.again({ endpoint }).look(vmRef)).rejects.toMatchObject({ code: 'hypervisor_failed' });
    }
  });

  test('the display is that of the guest where one is configured', async () => {
    const plain = await running();
    const address = guestAddress(world.vms()[0]!.vmid, world.settings.vmids, loopback);
    const server = createServer((socket) => serveStill(socket, 'in the guest'));
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const guestVncPort = (server.address() as AddressInfo).port;
    const driver = world.again({ guestNetwork: loopback, guestVncPort });
    world.calls();
    const display = new Display({ open: () => driver.openDisplay(vmRef), clock: systemClock, log: silentLog });
    const { width, height } = await display.fresh();
    expect([width, height]).toEqual([640, 400]);
    expect(world.calls().filter((call) => call.includes('vnc'))).toEqual([]);
    display.close();
    server.close();
    await expect(driver.openDisplay(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
    await plain.kill(vmRef);
    await expect(driver.openDisplay(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
  });

  test('a guest that is off is told as such', async () => {
    const driver = await running();
    await driver.kill(vmRef);
    await expect(driver.openInit(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
    await expect(driver.openDisplay(vmRef)).rejects.toMatchObject({ code: 'guest_unreachable' });
    await expect(driver.openPort(vmRef, 22)).rejects.toMatchObject({ code: 'guest_unreachable' });
  });
});

/** An SSH server that believes one key and runs one program. */
async function serveSsh(host: string, guest: { hostKey: string; clientKey: string; argv: string[] }) {
  const believed = ssh2.utils.parseKey(guest.clientKey);
  if (believed instanceof Error || Array.isArray(believed)) throw new Error('no key');
  expect(guest.clientKey.split(' ')[1]).toBe(keysOf(owner).clientKey.publicKey.split(' ')[1]);
  const commands: string[] = [];
  const server = new ssh2.Server({ hostKeys: [guest.hostKey] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (ask) => {
      const isKey =
        ask.method === 'publickey' && ask.username === 'root' && ask.key.data.equals(believed.getPublicSSH());
      if (isKey) ask.accept();
      else ask.reject();
    });
    client.on('session', (accept) => {
      accept().on('exec', (take, _, { command }) => {
        commands.push(command);
        const channel = take();
        const [program = '', ...argv] = guest.argv;
        const run = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
        channel.pipe(run.stdin);
        run.stdout.pipe(channel);
        channel.on('close', () => run.kill());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(22, host, resolve));
  return { commands, stop: () => server.close() };
}
