import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findReference } from './api/reference.ts';
import { ask, ended, type Answer } from './client.ts';
import { openDriverWorld, type DriverWorld } from './driverWorld.ts';
import type { PveDouble } from './double.ts';

const boundary = 'lb-test';
const image = Buffer.alloc(5000, 1);
image.write('QFI\xfb', 'latin1');
image.writeBigUInt64BE(0n, 8);
image.writeBigUInt64BE(BigInt(2 ** 30), 24);
const sha256 = createHash('sha256').update(image).digest('hex');

interface Form {
  fields?: [string, string][];
  field?: string;
  filename?: string;
  body?: Buffer;
  type?: string;
  storage?: string;
  token?: string;
}

async function upload(double: PveDouble, form: Form = {}): Promise<Answer> {
  const { fields = [['content', 'import']], field = 'filename', filename = 'disk.qcow2', body = image } = form;
  const head = fields
    .map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('');
  const disposition = `Content-Disposition: form-data; name="${field}"; filename="${filename}"`;
  const file = `--${boundary}\r\n${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const response = await fetch(`${double.url}/api2/json/nodes/pve1/storage/${form.storage ?? 'lebureau'}/upload`, {
    method: 'POST',
    headers: {
      authorization: `PVEAPIToken=${form.token ?? double.token}`,
      'content-type': form.type ?? `multipart/form-data; boundary=${boundary}`,
    },
    body: Buffer.concat([Buffer.from(head + file), body, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  });
  const text = await response.text();
  const parsed = text === '' ? {} : (JSON.parse(text) as { data?: string; errors?: Record<string, string> });
  const { data, errors } = parsed;
  return { status: response.status, reason: response.statusText, data, message: JSON.stringify(errors) };
}

describe.skipIf(findReference() === undefined)('uploads to the double, and disks made of them', () => {
  let world: DriverWorld;
  let double: PveDouble;
  beforeEach(async () => {
    world = await openDriverWorld({ version: '9.2' });
    ({ double } = world);
    const form = { vmid: '4101', pool: 'desks', name: 'half' };
    expect(await ended(double, await ask(double, 'POST /nodes/pve1/qemu', { form }))).toBe('OK');
  });
  afterEach(() => world.close());

  const content = async () => (await ask(double, 'GET /nodes/pve1/storage/lebureau/content?content=import')).data;
  const change = (form: Record<string, string>) => ask(double, 'POST /nodes/pve1/qemu/4101/config', { form });
  const checked = (checksum: string): [string, string][] => [
    ['content', 'import'],
    ['checksum-algorithm', 'sha256'],
    ['checksum', checksum],
  ];

  test('take a file whose checksum fits, list it and remove it', async () => {
    expect(await ended(double, await upload(double, { fields: checked(sha256) }))).toBe('OK');
    const volid = 'lebureau:import/disk.qcow2';
    expect(await content()).toMatchObject([{ volid, size: image.length, format: 'qcow2', content: 'import' }]);
    const path = `DELETE /nodes/pve1/storage/lebureau/content/${encodeURIComponent(volid)}`;
    expect(await ask(double, path, { token: double.tokens.nobody })).toMatchObject({ status: 403 });
    expect(await ended(double, await ask(double, path))).toBe('OK');
    expect(await content()).toEqual([]);
  });

  test('take none whose checksum or form does not', async () => {
    const wrong = await ended(double, await upload(double, { fields: checked('0'.repeat(64)) }));
    expect(wrong).toBe(`checksum mismatch: got '${sha256}' != expect '${'0'.repeat(64)}'`);
    expect(await ended(double, await upload(double, { body: Buffer.alloc(100) }))).toContain('not in qcow2 format');
    const backed = Buffer.from(image);
    backed.writeBigUInt64BE(512n, 8);
    expect(await ended(double, await upload(double, { body: backed }))).toContain('backing file');
    expect(await upload(double, { field: 'file' })).toMatchObject({ status: 501 });
    expect(await upload(double, { type: 'application/octet-stream' })).toMatchObject({ status: 501 });
    // The patterns stumble over a checksum that stands before its algorithm.
    const order: [string, string][] = [
      ['content', 'import'],
      ['checksum', sha256],
      ['checksum-algorithm', 'sha256'],
    ];
    expect(await upload(double, { fields: order })).toMatchObject({ status: 501 });
    expect(await content()).toEqual([]);
  });

  test('are refused where name, content, storage or right is missing', async () => {
    expect(await upload(double, { filename: 'disk.img' })).toMatchObject({
      status: 400,
      message: expect.stringContaining('invalid filename or wrong extension'),
    });
    expect(await upload(double, { fields: [['content', 'images']] })).toMatchObject({ status: 400 });
    expect(await upload(double, { fields: [['content', 'iso']], filename: 'a.iso' })).toMatchObject({
      status: 500,
      reason: "storage 'lebureau' does not support 'iso' content",
    });
    expect(await upload(double, { storage: 'local' })).toMatchObject({
      status: 403,
      reason: 'Permission check failed (/storage/local, Datastore.AllocateTemplate)',
    });
    double.state.storages.lebureau!.path = undefined;
    expect((await upload(double)).reason).toBe("can't upload to storage type 'dir'");
    double.state.storages.lebureau!.disabled = true;
    expect((await upload(double)).reason).toBe("storage 'lebureau' is disabled");
  });

  test('become disks by import-from, with its own syntax and rights', async () => {
    await ended(double, await upload(double));
    const from = 'import-from=lebureau:import/disk.qcow2';
    expect(await ended(double, await change({ virtio0: `local:0,${from},discard=on` }))).toBe('OK');
    expect(double.state.vms[4101]!.config.virtio0).toBe('local:4101/vm-4101-disk-0.qcow2,discard=on,size=1G');
    expect(await change({ virtio1: `local:4,${from}` })).toMatchObject({ status: 400 });
    expect(await change({ virtio1: 'local:0,import-from=local:iso/a.iso' })).toMatchObject({ status: 400 });
    expect((await change({ virtio1: 'local:0,import-from=/etc/shadow' })).reason).toContain('Only root');
    expect((await change({ virtio1: 'local:0,import-from=nowhere:import/a.raw' })).reason).toContain('does not exist');
    const absent = await ended(double, await change({ virtio1: 'local:0,import-from=lebureau:import/a.raw' }));
    expect(absent).toContain('could not get size');
    double.state.acl = double.state.acl.filter((entry) => entry.path !== '/storage/lebureau');
    expect(await change({ virtio1: `local:0,${from}` })).toMatchObject({ status: 403 });
  });
});
