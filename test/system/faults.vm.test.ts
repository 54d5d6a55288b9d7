import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOnEach } from './describeOnEach.ts';
import { call, createReady, type Service, startService, waitFor, waitForNode, waitForStatus } from './product.ts';

describeOnEach('nothing is lost, whatever dies', (hypervisor) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ hypervisor });
  });
  afterAll(() => service?.close());

  const exec = async (id: string, command: string) =>
    (await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } })).body;

  test('hostd dies: the desktop runs on, and a new hostd finds it again', async () => {
    const desktop = await createReady(service);
    await exec(desktop.id, 'echo kept > /dev/shm/memory');
    const before = qemuPids(service.home);
    await service.kill('hostd');
    expect(qemuPids(service.home)).toEqual(before);
    await service.start('hostd');
    await waitFor(
      async () => (await exec(desktop.id, 'cat /dev/shm/memory')).stdout === 'kept\n',
      () => service.log('hostd').slice(-3000),
    );
    expect(qemuPids(service.home)).toEqual(before);
    await remove(desktop.id);
  });

  test('the API dies in the middle of creates: every acknowledged desktop is there, and nothing else', async () => {
    const acknowledged: string[] = [];
    const creates = Array.from({ length: 20 }, async (_, at) => {
      await Bun.sleep(at * 8);
      const made = await call(service, 'POST', {
        path: '/v1/desktops',
        body: { name: `crash ${at}`, size: 'nano' },
      }).catch(() => undefined);
      if (made?.status === 201) acknowledged.push(made.body.id);
    });
    await waitFor(
      () => Promise.resolve(acknowledged.length >= 2),
      () => 'nothing was acknowledged',
      2,
    );
    await service.kill('api');
    await Promise.all(creates);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.length).toBeLessThan(creates.length);
    await service.start('api');
    await waitFor(
      async () => (await fetch(`${service.baseUrl}/readyz`).catch(() => undefined))?.ok === true,
      () => service.log('api').slice(-3000),
    );
    await waitForNode(service);
    const { body } = await call(service, 'GET', '/v1/desktops?limit=100');
    const there = (body.data as { id: string }[]).map((desktop) => desktop.id);
    for (const id of acknowledged) expect(there).toContain(id);
    for (const id of there) await waitForStatus(service, id, 'running');
    if (hypervisor.hasProcesses) expect(qemuPids(service.home)).toHaveLength(there.length);
    for (const id of there) await remove(id);
    expect(qemuPids(service.home)).toEqual([]);
  });

  test.skipIf(!hypervisor.hasProcesses)(
    'QEMU is killed: the status says so, never running, and a start brings the desktop back with its disk',
    async () => {
      const desktop = await createReady(service);
      await exec(desktop.id, 'echo on disk > ~/kept; sync');
      for (const pid of qemuPids(service.home)) process.kill(pid, 'SIGKILL');
      const { status, code } = hypervisor.whenKilled;
      const look = async () => (await call(service, 'GET', `/v1/desktops/${desktop.id}`)).body;
      // What hostd asked it just then failed first; that is told, too, until the next look.
      await waitFor(
        async () => {
          const { status: is, error } = await look();
          return is === status && error?.code === code;
        },
        () => service.log('hostd').slice(-3000),
      );
      expect((await look()).allowedActions).toContain('start');
      await call(service, 'POST', `/v1/desktops/${desktop.id}/start`);
      await waitForStatus(service, desktop.id, 'running');
      expect((await exec(desktop.id, 'cat ~/kept')).stdout).toBe('on disk\n');
      await remove(desktop.id);
    },
  );

  test.skipIf(!hypervisor.hasProcesses)('a wedged guest can be deleted', async () => {
    const desktop = await createReady(service);
    for (const pid of qemuPids(service.home)) process.kill(pid, 'SIGSTOP');
    await remove(desktop.id);
    expect(qemuPids(service.home)).toEqual([]);
  });

  test('a desktop deleted while it is being made ends destroyed', async () => {
    const made = await Promise.all(
      Array.from({ length: 6 }, async (_, at) => {
        const { body } = await call(service, 'POST', {
          path: '/v1/desktops',
          body: { name: `short ${at}`, size: 'nano' },
        });
        await Bun.sleep(at * 60);
        await call(service, 'DELETE', `/v1/desktops/${body.id}`);
        return body.id as string;
      }),
    );
    for (const id of made) await waitForStatus(service, id, 'destroyed');
    expect(qemuPids(service.home)).toEqual([]);
  });

  async function remove(id: string): Promise<void> {
    await call(service, 'DELETE', `/v1/desktops/${id}`);
    await waitForStatus(service, id, 'destroyed');
  }
});

function qemuPids(home: string): number[] {
  const all = execFileSync('ps', ['-eo', 'pid,args', '-ww'], { encoding: 'utf8' });
  return all
    .split('\n')
    .filter((line) => line.includes('qemu-system') && line.includes(home))
    .map((line) => Number.parseInt(line, 10))
    .toSorted((a, b) => a - b);
}
