import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  call,
  createReady,
  type Service,
  startService,
  vmSkipReason,
  waitFor,
  waitForNode,
  waitForStatus,
} from './product.ts';

const skip = vmSkipReason();

describe.skipIf(skip !== undefined)(`machines that wait in the pool ${skip ?? ''}`, () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({
      environment: { LEBUREAU_POOL_MEMBERS_MAX: '1', LEBUREAU_POOL_MEMORY_PERCENT: '90' },
    });
  });
  afterAll(() => service?.close());

  const exec = async (id: string, command: string) => {
    const { body } = await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
    return body.stdout as string;
  };
  /** Waits until one more machine is ready than there are desktops. */
  const untilOneWaits = async () => {
    await waitFor(
      async () =>
        (await (await fetch(`${service.baseUrl}/metrics`)).text()).includes('lebureau_pool_members{ready="1"} 1'),
      () => `no machine waits:\n${service.log('hostd').slice(-3000)}`,
    );
  };
  const remove = async (id: string) => {
    await call(service, 'DELETE', `/v1/desktops/${id}`);
    await waitForStatus(service, id, 'destroyed');
  };

  test('a desktop that gets one is somebody of its own, with the right clock, name and zone', async () => {
    const first = await createReady(service, { name: 'first' });
    await untilOneWaits();
    const beganMs = performance.now();
    const second = await createReady(service, { name: 'second', timeZone: 'Asia/Tokyo' });
    console.log(`claim to ready: ${Math.round(performance.now() - beganMs)} ms`);
    expect(second).toMatchObject({ startMode: 'warm', timeZone: 'Asia/Tokyo' });
    expect(await exec(second.id, 'hostname; cat /etc/hostname; date +%Z')).toBe('second\nsecond\nJST\n');
    expect(Math.abs(Number(await exec(second.id, 'date +%s%3N')) - Date.now())).toBeLessThan(10_000);
    const script = 'cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /sys/class/net/e*/address';
    const names = await Promise.all([first, second].map((each) => exec(each.id, script)));
    const lines = names.map((text) => text.trim().split('\n'));
    for (let at = 0; at < 3; at++) expect(lines[0]![at]).not.toBe(lines[1]![at]);
    await remove(first.id);
    await remove(second.id);
  });

  test('hostd dies right after a claim: the next one tells the guest who it is', async () => {
    const first = await createReady(service, { name: 'before' });
    await untilOneWaits();
    const made = await call(service, 'POST', { path: '/v1/desktops', body: { name: 'claimed', size: 'nano' } });
    await service.kill('hostd');
    expect(made.status).toBe(201);
    await service.start('hostd');
    await waitForNode(service);
    await waitForStatus(service, made.body.id, 'running');
    // The claim may have been told before hostd died; it takes calls again a moment later.
    await expect.poll(() => exec(made.body.id, 'hostname'), { timeout: 60_000 }).toBe('claimed\n');
    await remove(first.id);
    await remove(made.body.id);
  });
});
