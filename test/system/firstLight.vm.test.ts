import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkedFetch } from '../contract.ts';
import { describeOnEach } from './describeOnEach.ts';
import { call, createReady, type Service, startService, waitForStatus } from './product.ts';

describeOnEach('a desktop from creation to deletion', (hypervisor) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ hypervisor });
  });
  afterAll(() => service?.close());

  const exec = async (id: string, command: string, more: Record<string, unknown> = {}) => {
    const answer = await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command, ...more } });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body as { stdout: string; stderr: string; exitCode: number; timedOut: boolean; truncated: boolean };
  };

  test('five clones differ in everything that names a machine', async () => {
    const desktops = await Promise.all(
      Array.from({ length: 5 }, (_, at) => createReady(service, { name: `clone ${at}` })),
    );
    const script = [
      'cat /etc/machine-id',
      'hostname',
      'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
      'cat /sys/class/net/e*/address',
      'head -c 16 /dev/urandom | od -An -tx1',
      'sudo sha256sum /etc/lebureau/config.json | cut -c1-16; true',
    ];
    const facts = await Promise.all(
      desktops.map((desktop) => Promise.all(script.map((line) => exec(desktop.id, line)))),
    );
    for (let row = 0; row < 5; row++) {
      const values = facts.map((each) => each[row]!.stdout.trim());
      expect(
        values.every((value) => value !== ''),
        script[row],
      ).toBe(true);
      expect(new Set(values).size, `${script[row]}: ${values.join(' | ')}`).toBe(5);
    }
    const clocks = await Promise.all(desktops.map((desktop) => exec(desktop.id, 'date +%s%3N')));
    for (const clock of clocks) expect(Math.abs(Number(clock.stdout) - Date.now())).toBeLessThan(10_000);
    for (const desktop of desktops) expect(desktop['startMode']).toBe(hypervisor.startMode);
    await Promise.all(desktops.map((desktop) => call(service, 'DELETE', `/v1/desktops/${desktop.id}`)));
    await Promise.all(desktops.map((desktop) => waitForStatus(service, desktop.id, 'destroyed')));
    expect(qemuProcesses(service.home)).toEqual([]);
  });

  test('look, run, move files, stop, start, delete', async () => {
    const desktop = await createReady(service);
    const at = `/v1/desktops/${desktop.id}`;

    const picture = await checkedFetch(`${service.baseUrl}${at}/screenshot`, {
      headers: { Authorization: `Bearer ${service.apiKey}` },
    });
    expect(picture.headers.get('content-type')).toBe('image/png');
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([1280, 800]);
    expect(bytes.length).toBeGreaterThan(5000);

    expect(await exec(desktop.id, 'echo out; echo err >&2; exit 7')).toMatchObject({
      stdout: 'out\n',
      stderr: 'err\n',
      exitCode: 7,
    });
    expect(await exec(desktop.id, 'sleep 30', { timeoutSeconds: 0.5 })).toMatchObject({ timedOut: true });
    expect((await exec(desktop.id, 'whoami; pwd')).stdout).toBe('agent\n/home/agent\n');
    expect((await exec(desktop.id, 'whoami', { user: 'root' })).stdout).toBe('root\n');

    const content = randomBytes(3 * 1_048_576 + 17);
    const written = await checkedFetch(
      `${service.baseUrl}${at}/files/content?path=${encodeURIComponent('~/dépôt/ü.bin')}`,
      {
        method: 'PUT',
        headers: { Authorization: `Bearer ${service.apiKey}`, 'Content-Type': 'application/octet-stream' },
        body: content,
      },
    );
    expect(written.status).toBe(200);
    const hash = createHash('sha256').update(content).digest('hex');
    expect(((await written.json()) as { sha256: string }).sha256).toBe(hash);
    expect((await exec(desktop.id, 'sha256sum ~/dépôt/ü.bin')).stdout.slice(0, 64)).toBe(hash);
    const part = await checkedFetch(
      `${service.baseUrl}${at}/files/content?path=${encodeURIComponent('/home/agent/dépôt/ü.bin')}`,
      {
        headers: { Authorization: `Bearer ${service.apiKey}`, Range: 'bytes=1000-1999' },
      },
    );
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(1000, 2000))).toBe(true);

    expect((await call(service, 'POST', `${at}/stop`)).status).toBeLessThan(300);
    await waitForStatus(service, desktop.id, 'stopped');
    const refused = await call(service, 'POST', { path: `${at}/exec`, body: { command: 'true' } });
    expect([409, 503]).toContain(refused.status);
    expect((await call(service, 'POST', `${at}/start`)).status).toBeLessThan(300);
    const again = await waitForStatus(service, desktop.id, 'running');
    expect(again['startMode']).toBe('cold');
    expect((await exec(desktop.id, 'sha256sum ~/dépôt/ü.bin')).stdout.slice(0, 64)).toBe(hash);

    expect((await call(service, 'DELETE', at)).status).toBeLessThan(300);
    await waitForStatus(service, desktop.id, 'destroyed');
    expect(qemuProcesses(service.home)).toEqual([]);
  });
});

function qemuProcesses(home: string): string[] {
  const all = execFileSync('ps', ['-eo', 'pid,args', '-ww'], { encoding: 'utf8' });
  return all.split('\n').filter((line) => line.includes('qemu-system') && line.includes(home));
}
