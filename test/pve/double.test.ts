import { describe, expect, it } from 'vitest';
import { findReference, type Json } from './api/reference.ts';
import { openPveDouble, type PveDouble } from './double.ts';

/** One call as a client makes it, over TLS with the double's own authority. */
async function call(double: PveDouble, line: string, form?: Record<string, string>, token = double.token): Promise<Answer> {
  const [method = 'GET', path = ''] = line.split(' ');
  const response = await fetch(`${double.url}/api2/json${path}`, {
    method,
    headers: { authorization: `PVEAPIToken=${token}` },
    body: form && new URLSearchParams(form),
    tls: { ca: double.ca },
  });
  const text = await response.text();
  const body = text === '' ? {} : (JSON.parse(text) as { data?: Json; message?: string });
  return { status: response.status, reason: response.statusText, data: body.data, message: body.message };
}

interface Answer {
  status: number;
  reason: string;
  data?: Json;
  message?: string;
}

async function ended(double: PveDouble, upid: Json | undefined): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const { data } = await call(double, `GET /nodes/${double.node}/tasks/${String(upid)}/status`);
    const status = data as { status: string; exitstatus?: string };
    if (status.status === 'stopped') return status.exitstatus ?? '';
    await Bun.sleep(5);
  }
  throw new Error('the task does not end');
}

describe.skipIf(findReference() === undefined)('the double of Proxmox VE (needs shared/reference)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`lives a desktop's life on ${version}`, async () => {
      await using double = disposable(await openPveDouble({ version }));
      const vm = `/nodes/${double.node}/qemu/4101`;
      const clone = await call(double, `POST /nodes/${double.node}/qemu/9001/clone`, {
        newid: '4101',
        name: 'desk-1',
        full: '0',
        pool: 'desks',
      });
      expect(await ended(double, clone.data)).toBe('OK');
      expect(await call(double, `PUT ${vm}/config`, { cores: '2', tags: 'b a' })).toMatchObject({ status: 200, data: null });
      const started = await call(double, `POST ${vm}/status/start`);
      expect(await ended(double, started.data)).toBe('OK');
      await expect.poll(async () => (await call(double, `POST ${vm}/agent/ping`)).status).toBe(200);
      const stopped = await call(double, `POST ${vm}/status/shutdown`, { timeout: '30' });
      expect(await ended(double, stopped.data)).toBe('OK');
      const gone = await call(double, `DELETE ${vm}?purge=1`);
      expect(await ended(double, gone.data)).toBe('OK');
      expect(await call(double, `GET ${vm}/config`)).toMatchObject({
        status: 500,
        reason: `Configuration file 'nodes/${double.node}/qemu-server/4101.conf' does not exist`,
      });
    });
  }
});

function disposable(double: PveDouble): PveDouble & AsyncDisposable {
  return Object.assign(double, { [Symbol.asyncDispose]: () => double.close() });
}
