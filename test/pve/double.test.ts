import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { ask, ended } from './client.ts';
import { openPveDouble } from './double.ts';

describe.skipIf(findReference() === undefined)('the double of Proxmox VE (needs shared/reference)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`lives a desktop's life on ${version}`, async () => {
      await using double = await openPveDouble({ version });
      const node = `/nodes/${double.node}`;
      const vm = `${node}/qemu/4101`;
      const form = { newid: '4101', name: 'desk-1', full: '0', pool: 'desks' };
      expect(await ended(double, await ask(double, `POST ${node}/qemu/9001/clone`, { form }))).toBe('OK');
      const changed = await ask(double, `PUT ${vm}/config`, { form: { cores: '2', tags: 'b a' } });
      expect(changed).toMatchObject({ status: 200, data: null });
      expect((await ask(double, `GET ${vm}/config`)).data).toMatchObject({ cores: 2, tags: 'a;b', memory: '1024' });
      expect(await ended(double, await ask(double, `POST ${vm}/status/start`))).toBe('OK');
      await expect.poll(async () => (await ask(double, `POST ${vm}/agent/ping`)).status).toBe(200);
      const shutdown = await ask(double, `POST ${vm}/status/shutdown`, { form: { timeout: '30' } });
      expect(await ended(double, shutdown)).toBe('OK');
      expect(await ended(double, await ask(double, `DELETE ${vm}?purge=1`))).toBe('OK');
      expect(await ask(double, `GET ${vm}/config`, { token: double.tokens.admin })).toMatchObject({
        status: 500,
        reason: `Configuration file 'nodes/${double.node}/qemu-server/4101.conf' does not exist`,
      });
      // Rights on the pool end with the VM's place in it.
      expect((await ask(double, `GET ${vm}/config`)).reason).toBe('Permission check failed (/vms/4101, VM.Audit)');
    });
  }

  it('has a template and room of its own on each node', async () => {
    await using double = await openPveDouble({ version: '9.2', nodes: ['pve1', 'pve2'] });
    const form = { newid: '4101', full: '0', pool: 'desks' };
    expect(await ended(double, await ask(double, 'POST /nodes/pve2/qemu/9002/clone', { form }))).toBe('OK');
    const used = async (node: string) =>
      ((await ask(double, `GET /nodes/${node}/storage/local/status`)).data as { used: number }).used;
    expect(await used('pve2')).toBeGreaterThan(await used('pve1'));
    expect((await ask(double, 'POST /nodes/pve1/qemu/9002/clone', { form })).reason).toBe(
      "unable to find configuration file for VM 9002 on node 'pve1'",
    );
  });
});
