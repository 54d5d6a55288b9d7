import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { ask, ended } from './client.ts';
import { openPveDouble } from './double.ts';
import { loginRfb, type Proxy } from './guest/rfbLogin.ts';

describe.skipIf(findReference() === undefined)('the screen of the double (needs shared/reference)', () => {
  it('opens once, with the password of its ticket, for who made it', async () => {
    await using double = await openPveDouble({ version: '8.4' });
    const vm = '/nodes/pve1/qemu/4101';
    const form = { newid: '4101', full: '0', pool: 'desks', name: 'desk-1' };
    await ended(double, await ask(double, 'POST /nodes/pve1/qemu/9001/clone', { form }));
    await ended(double, await ask(double, `POST ${vm}/status/start`));
    const made = await ask(double, `POST ${vm}/vncproxy`, { form: { websocket: '1' } });
    const proxy = made.data as unknown as Proxy;
    expect(proxy.port).toBe('5900');
    expect(proxy.ticket.slice(0, 8)).toBe(proxy.password);
    expect(await loginRfb(double, vm, proxy)).toEqual({ width: 640, height: 400, name: 'QEMU (desk-1)' });
    await expect(loginRfb(double, vm, proxy)).rejects.toThrow('401 permission denied - invalid PVEVNC ticket');
    const again = (await ask(double, `POST ${vm}/vncproxy`, { form: { websocket: '1' } })).data as unknown as Proxy;
    await expect(loginRfb(double, vm, { ...again, password: 'wrong' })).rejects.toThrow('the password was refused');
    const nobody = await ask(double, `POST ${vm}/vncproxy`, { token: double.tokens.nobody });
    expect(nobody.reason).toBe('Permission check failed (/vms/4101, VM.Console)');
  });
});
