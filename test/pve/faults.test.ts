import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { ask, ended } from './client.ts';
import { openPveDouble, type PveDouble } from './double.ts';

const clone = (newid: string, more: Record<string, string> = {}) => ({
  form: { newid, full: '0', pool: 'desks', ...more },
});
const cloneLine = 'POST /nodes/pve1/qemu/9001/clone';

describe.skipIf(findReference() === undefined)('faults of the double (need shared/reference)', () => {
  let double: PveDouble;
  const admin = () => ({ token: double.tokens.admin });

  beforeEach(async () => {
    double = await openPveDouble({ version: '9.2', nodes: ['pve1', 'pve2'] });
  });
  afterEach(() => double.close());

  it('answers late', async () => {
    double.faults.add('slow', { on: 'GET /version', ms: 120, times: 1 });
    const beganMs = performance.now();
    await ask(double, 'GET /version');
    expect(performance.now() - beganMs).toBeGreaterThan(110);
  });

  it('loses an answer after the work, and a request before it', async () => {
    double.faults.add('lostAnswer', { on: '/clone', times: 1 });
    await expect(ask(double, cloneLine, clone('4101'))).rejects.toThrow(/closed|reset/i);
    await expect.poll(() => double.state.vms[4101]?.config.scsi0).toBeDefined();
    double.faults.add('lostRequest', { on: '/clone', times: 1 });
    await expect(ask(double, cloneLine, clone('4102'))).rejects.toThrow(/closed|reset/i);
    expect(double.state.vms[4102]).toBeUndefined();
  });

  it('breaks the pipe behind the proxy', async () => {
    double.faults.add('brokenPipe', { on: 'GET /version', times: 1 });
    expect(await ask(double, 'GET /version')).toMatchObject({ status: 596, reason: 'Broken pipe', data: undefined });
  });

  it('runs out of space: the clone fails and leaves nothing', async () => {
    const local = double.state.storages.local;
    if (local) local.otherBytes = local.totalBytes - 1024;
    const task = await ask(double, cloneLine, clone('4101'));
    expect(await ended(double, task)).toContain('No space left on device');
    expect(double.state.vms[4101]).toBeUndefined();
  });

  it('has dead nodes, unknown nodes and no quorum', async () => {
    const pve2 = double.state.nodes.pve2;
    if (pve2) pve2.online = false;
    expect(await ask(double, 'GET /nodes/pve2/status', admin())).toMatchObject({ status: 595, data: undefined });
    expect((await ask(double, 'GET /nodes/pve3/status', admin())).reason).toContain("hostname lookup 'pve3' failed");
    double.state.quorate = false;
    expect((await ask(double, cloneLine, clone('4101'))).reason).toBe('cluster not ready - no quorum?');
    expect((await ask(double, 'PUT /nodes/pve1/qemu/9001/config', { form: { cores: '2' } })).reason).toMatch(
      /^unable to open file '.*9001\.conf\.tmp\.\d+' - Permission denied$/,
    );
  });

  it('forgets a token in flight', async () => {
    expect((await ask(double, 'GET /version')).status).toBe(200);
    const token = double.state.tokens['desk@pve!t1'];
    if (token) token.revoked = true;
    expect(await ask(double, 'GET /version')).toMatchObject({ status: 401, reason: 'Authentication failed!' });
  });

  it('has clocks that differ', async () => {
    const pve1 = double.state.nodes.pve1;
    if (pve1) pve1.clockSkewMs = -600_000;
    const { data } = await ask(double, cloneLine, clone('4101'));
    const startedS = Number.parseInt(String(data).split(':')[4] ?? '0', 16);
    expect(Date.now() / 1000 - startedS).toBeGreaterThan(590);
  });

  it('lets one of several win an id', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const started = await Promise.all(names.map((name) => ask(double, cloneLine, clone('4101', { name }))));
    const ends = await Promise.all(
      started.map((one) => (one.status === 200 ? ended(double, one) : Promise.resolve(one.reason))),
    );
    expect(ends.filter((end) => end === 'OK')).toHaveLength(1);
    for (const end of ends) {
      expect(['OK', 'unable to create VM 4101: config file already exists']).toContain(end);
    }
  });

  it('keeps a template that is used', async () => {
    await ended(double, await ask(double, cloneLine, clone('4101')));
    const refused = await ended(double, await ask(double, 'DELETE /nodes/pve1/qemu/9001'));
    expect(refused).toBe("base volume 'local:9001/base-9001-disk-0.qcow2' is still in use by linked cloned");
  });
});

describe.skipIf(findReference() === undefined)('a double that is killed (needs shared/reference)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-pve-'));
  const file = join(folder, 'state.json');
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('leaves a stale lock in the middle of a clone', async () => {
    const first = await openPveDouble({ version: '9.2', file, pace: 1 });
    const task = await ask(first, cloneLine, clone('4101'));
    await expect.poll(() => first.state.vms[4101]?.config.lock).toBe('clone');
    await first.kill();
    expect(existsSync(file)).toBe(true);
    await using second = await openPveDouble({ version: '9.2', file, certificates: first.certificates });
    expect(second.token).toBe(first.token);
    const admin = { token: second.tokens.admin };
    const vm = '/nodes/pve1/qemu/4101';
    expect((await ask(second, `GET ${vm}/config`, admin)).data).toMatchObject({ lock: 'clone' });
    expect((await ask(second, `PUT ${vm}/config`, { ...admin, form: { cores: '2' } })).reason).toBe(
      'VM is locked (clone)',
    );
    expect(await ended(second, await ask(second, `DELETE ${vm}`, admin))).toBe('VM is locked (clone)');
    expect(await ended(second, task)).toBe('unexpected status');
  });
});
