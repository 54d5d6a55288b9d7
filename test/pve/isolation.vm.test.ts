import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { proxmoxDouble, type Site } from '../system/hypervisors.ts';
import { call, createReady, type Service, startService, vmSkipReason } from '../system/product.ts';
import { type PveNode, startPveNode } from './startPveNode.ts';

const skip = vmSkipReason(proxmoxDouble());
const root = join(import.meta.dirname, '..', '..');

interface Guest {
  id: string;
  vmid: number;
  address: string;
  mac: string;
}

const node22 = '10.77.0.1 22';
const nodeApi = '10.10.10.1 8006';
const management = '10.10.10.254 22';
const metadata = '169.254.169.254 80';
const resolver = '9.9.9.9 53';
const internet = '203.0.113.80 80';

describe.skipIf(skip !== undefined)(`guests on Proxmox VE are closed in ${skip ?? ''}`, () => {
  let service: Service;
  let node: PveNode;
  let first: Guest;
  let second: Guest;

  beforeAll(async () => {
    const open = async ({ home, templateHome }: { home: string; templateHome: string }): Promise<Site> => {
      node = await startPveNode({ home: join(home, 'pve'), templateHome });
      return { ...node, close: () => node.stop() };
    };
    service = await startService({ hypervisor: { ...proxmoxDouble(), open } });
    [first, second] = (await Promise.all([newGuest(), newGuest()])) as [Guest, Guest];
  });
  afterEach(() => setFirewalls({ enable: '1' }));
  afterAll(() => service?.close());

  const exec = async (id: string, command: string) => {
    const body = { command, user: 'root', timeoutSeconds: 60 };
    const answer = await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.stdout as string;
  };
  const newGuest = async (wish: Record<string, unknown> = {}): Promise<Guest> => {
    const known = new Set((await listVms()).map((vm) => vm.vmid));
    const { id } = await createReady(service, wish);
    const facts = await exec(
      id,
      'ip -4 -o address show eth0 | sed "s/.*inet //; s|/.*||"; cat /sys/class/net/eth0/address',
    );
    const [address = '', mac = ''] = facts.trim().split('\n');
    const vms = (await listVms()).filter((vm) => !known.has(vm.vmid));
    const vmid = vms.find((vm) => vm.address === address)?.vmid;
    expect(vmid, `${address} among ${JSON.stringify(vms)}`).toBeDefined();
    return { id, vmid: vmid!, address, mac };
  };
  const listVms = async () => {
    const { data } = await node.ask('GET /nodes/pve1/qemu');
    const ids = (data as { vmid: number }[]).map((vm) => vm.vmid);
    return Promise.all(
      ids.map(async (vmid) => {
        const config = (await node.ask(`GET /nodes/pve1/qemu/${vmid}/config`)).data as { ipconfig0?: string };
        return { vmid, address: /ip=([\d.]+)/.exec(config.ipconfig0 ?? '')?.[1] };
      }),
    );
  };
  /** Of both guests. */
  const setFirewalls = async (options: Record<string, string>) => {
    for (const { vmid } of [first, second]) {
      const answer = await node.ask(`PUT /nodes/pve1/qemu/${vmid}/firewall/options`, { form: options });
      expect(answer.status).toBe(200);
    }
  };
  /** Which of these addresses and ports take a connection. @param before runs first, `after` last. */
  const opened = async (from: Guest, doors: string[], around: { before?: string; after?: string } = {}) => {
    const { before = ':', after = ':' } = around;
    const tries = doors.map((door) => {
      const [host, port] = door.split(' ');
      return `{ timeout 3 bash -c "exec 3<>/dev/tcp/${host}/${port}" 2>/dev/null && echo "${door}"; } &`;
    });
    const out = await exec(from.id, [before, ...tries, 'wait', after, 'true'].join('\n'));
    return doors.filter((door) => out.split('\n').includes(door));
  };
  const setGatewayMac = async (mac: string) => {
    const [program, ...argv] = [...node.enter, 'ip', 'link', 'set', 'dev', 'vmbr1', 'address', mac];
    expect(spawnSync(program!, argv).status).toBe(0);
    await Promise.all([first, second].map(({ id }) => exec(id, 'ip neigh flush all')));
  };
  const doctor = () => {
    const [program, ...argv] = [...node.enter, process.execPath, join(root, 'hostd/main.ts'), 'doctor'];
    const env = { PATH: process.env['PATH'], LEBUREAU_HOME: service.home, ...node.environment };
    const { status, stdout } = spawnSync(program!, argv, { env, encoding: 'utf8' });
    return { status, text: stdout };
  };

  test('the internet and the resolver are open, everything of ours is not, and other guests are not', async () => {
    const doors = [node22, nodeApi, management, metadata, `${second.address} 22`, resolver, internet];
    expect(await opened(first, doors)).toEqual([resolver, internet]);
    await setFirewalls({ enable: '0' });
    expect(await opened(first, doors)).toEqual(doors);
  });

  test('nothing is open from a desktop without a network', async () => {
    const lonely = await newGuest({ network: 'none' });
    const doors = [node22, nodeApi, `${first.address} 22`, resolver, internet];
    expect(await opened(lonely, doors)).toEqual([]);
    for (const { id } of [lonely, first])
      expect(await exec(id, 'grep ^nameserver /run/systemd/resolve/resolv.conf')).toBe('nameserver 9.9.9.9\n');
    await call(service, 'DELETE', `/v1/desktops/${lonely.id}`);
  });

  test('machines that start and stop take no gateway from those that run', async () => {
    const gateway = () =>
      exec(first.id, 'ip neigh flush all; ping -c1 -W3 10.77.0.1 >/dev/null; ip neigh show 10.77.0.1');
    const countBefore = (await listVms()).length;
    for (let count = 0; count < 2; count++) {
      const { id } = await newGuest();
      expect(await gateway()).toContain('lladdr 02:4c:0a:4d:00:01');
      await call(service, 'DELETE', `/v1/desktops/${id}`);
    }
    await expect.poll(async () => (await listVms()).length).toBe(countBefore);
    expect(await gateway()).toContain('lladdr 02:4c:0a:4d:00:01');
  });

  test('what is sent from another address is dropped', async () => {
    // The gateway's hardware address is known and kept: a question by the wrong address is dropped, too, and would leave
    // the guest without its gateway.
    const spoof = {
      before: [
        'ip neigh replace 10.77.0.1 lladdr 02:4c:0a:4d:00:01 dev eth0 nud permanent',
        'ip address add 10.77.200.7/32 dev eth0',
        'ip route add 203.0.113.80 via 10.77.0.1 src 10.77.200.7',
      ].join('\n'),
      after: [
        'ip route del 203.0.113.80',
        'ip address del 10.77.200.7/32 dev eth0',
        'ip neigh del 10.77.0.1 dev eth0',
      ].join('\n'),
    };
    expect(await opened(first, [internet, resolver], spoof)).toEqual([resolver]);
    await setFirewalls({ enable: '0' });
    expect(await opened(first, [internet, resolver], spoof)).toEqual([internet, resolver]);
  });

  test('the doctor tells the truth, of right and of wrong settings', async () => {
    const right = doctor();
    expect(right.text).toContain('10.77.0.1:8006 is closed');
    expect(right.text).toMatch(/another desktop \([\d.]+:22\) is closed/);
    expect(right.text).toContain('the resolver (9.9.9.9:53) is open');
    expect(right.text).toContain('the bridge of the guests keeps its hardware address');
    expect(right).toMatchObject({ status: 0 });
    await setFirewalls({ enable: '0' });
    const open = doctor();
    expect(open.text).toContain(`virtual machine ${first.vmid} is not closed in`);
    for (const door of ['10.77.0.1:22', '10.77.0.1:8006', '10.10.10.1:8006', 'the metadata address'])
      expect(open.text).toContain(`${door} is open`);
    expect(open.text).toMatch(/another desktop \([\d.]+:22\) is open/);
    expect(open).toMatchObject({ status: 1 });
    await setFirewalls({ enable: '1' });
    await node.ask('PUT /cluster/firewall/options', { form: { enable: '0' } });
    const off = doctor();
    await node.ask('PUT /cluster/firewall/options', { form: { enable: '1' } });
    expect(off.text).toContain('the firewall of the datacenter is off');
    expect(off.text).toContain('10.77.0.1:8006 is open');
    expect(doctor()).toMatchObject({ status: 0 });
    await setGatewayMac('02:00:00:00:00:07');
    expect(doctor().text).toContain('the gateway of the guests has the hardware address 02:00:00:00:00:07');
    await setGatewayMac('02:4c:0a:4d:00:01');
    expect(doctor()).toMatchObject({ status: 0 });
  });

  // The last, because neighbours may remember the wrong address for a while.
  test('what is sent from another MAC address is dropped', async () => {
    const spoof = {
      before: 'ip link set dev eth0 address 52:54:00:aa:bb:cc',
      after: `ip link set dev eth0 address ${first.mac}`,
    };
    expect(await opened(first, [internet], spoof)).toEqual([]);
    await setFirewalls({ macfilter: '0' });
    expect(await opened(first, [internet], spoof)).toEqual([internet]);
    await setFirewalls({ macfilter: '1' });
    expect(await opened(first, [internet])).toEqual([internet]);
  });
});
