import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { Conversation } from './conversation.ts';

/** Texts without a recording are those of RESTHandler.pm, RPCEnvironment.pm, AccessControl.pm, Pool.pm and Tasks.pm. */
describe.skipIf(findReference() === undefined)('what the rest of the API refuses (needs shared/reference)', () => {
  it('finds calls by their path, whatever its slashes', async () => {
    await using c = await Conversation.open('9.2');
    const node = `/nodes/${c.double.node}`;
    expect(await c.says(`GET ${node}//qemu/`)).toBe('200');
    expect(await c.says(`GET ${node}/qemu/4101/`)).toBe('200');
    expect(await c.says('GET /nodes/%')).toBe(
      '400 node: invalid format - value does not look like a valid node name\n',
    );
    expect(await c.says('PATCH /version')).toBe("501 Method 'PATCH /version' not implemented");
    // Known to PVE and not to the double: refused as PVE would, up to there.
    expect(await c.says(`POST ${c.vm}/mtunnel`)).toBe('403 Permission check failed (/, Sys.Incoming)');
    expect(await c.says(`POST ${c.vm}/remote_migrate`, {}, 'admin')).toMatch(/^400 target-bridge: property is missing/);
  });

  it('passes to a node only what is for it', async () => {
    await using c = await Conversation.open('8.4');
    const lookup =
      "500 hostname lookup 'nope' failed - failed to get address info for: nope: Temporary failure in name resolution";
    expect(await c.says('GET /nodes/nope/qemu/4101/config')).toBe(lookup);
    expect(await c.says('POST /nodes/nope/qemu/4101/vncproxy')).toBe(
      "500 Configuration file 'nodes/nope/qemu-server/4101.conf' does not exist",
    );
    expect(await c.says('GET /nodes/nope/qemu/4101/firewall/rules')).toBe('200');
    expect(await c.says('GET /nodes/no_pe/qemu')).toBe(lookup.replaceAll('nope', 'no_pe'));
  });

  it('says what JSON held where a text was due', async () => {
    await using c = await Conversation.open('9.2');
    const put = (given: Record<string, boolean | number[] | null>) => c.says(`PUT ${c.vm}/config`, given);
    expect(await put({ cores: true })).toBe("400 cores: type check ('integer') failed - got JSON::PP::Boolean");
    expect(await put({ cores: [1, 2] })).toBe("400 cores: type check ('integer') failed - got ARRAY");
    expect(await put({ onboot: true })).toBe('200');
    expect(await put({ cores: null })).toBe('500 no options specified');
  });

  it('shows rights as they are: those of a pool pass nothing on', async () => {
    await using c = await Conversation.open('9.2');
    const table = (await c.data('GET /access/permissions')) as Record<string, Record<string, number>>;
    expect(Object.keys(table).toSorted()).toEqual([
      '/nodes/pve1',
      '/pool/desks',
      '/sdn/zones/localnetwork/vmbr0',
      '/storage/local',
      '/vms/4101',
      '/vms/9001',
    ]);
    expect(table['/pool/desks']?.['VM.Audit']).toBe(1);
    expect(table['/vms/4101']?.['VM.Audit']).toBe(0);
    expect(await c.data('GET /access/permissions', { path: '/vms/1' })).toEqual({ '/vms/1': {} });
    expect(await c.says('GET /access/permissions', { userid: 'admin@pve!t1' })).toBe(
      '403 Permission check failed (/access, Sys.Audit)',
    );
  });

  it('pools, each refusal with the words of its call', async () => {
    await using c = await Conversation.open('8.4');
    const admin = (line: string, params = {}) => c.says(line, params, 'admin');
    expect(await admin('POST /pools', { poolid: 'a b' })).toBe(
      "400 poolid: invalid format - pool name 'a b' contains invalid characters\n",
    );
    expect(await admin('POST /pools', { poolid: 'desks' })).toBe("500 create pool failed: pool 'desks' already exists");
    expect(await admin('POST /pools', { poolid: 'no/pe' })).toBe(
      "500 create pool failed: parent 'no' of pool 'no/pe' does not exist",
    );
    expect(await c.says('POST /pools', { poolid: 'mine' })).toBe(
      '403 Permission check failed (/pool/mine, Pool.Allocate)',
    );
    expect(await admin('PUT /pools/desks', { vms: '4101' })).toBe(
      '500 update pools failed: VM 4101 is already a pool member',
    );
    expect(await admin('PUT /pools/desks', { vms: '777', delete: 1 })).toBe(
      '500 update pools failed: VM 777 is not a pool member',
    );
    expect(await admin('PUT /pools/desks', { vms: '4101,x' })).toBe(
      '400 vms: invalid format - value does not look like a valid VM ID\n',
    );
    expect(await admin('PUT /pools/desks', { storage: 'local', delete: 1 })).toBe(
      "500 update pools failed: Storage 'local' is not a pool member",
    );
    expect(await admin('DELETE /pools/nope')).toBe("500 delete pool failed: pool 'nope' does not exist");
    expect(await c.says('GET /pools', { poolid: 'desks' }, 'nobody')).toBe(
      '403 Permission check failed (/pool/desks, Pool.Audit)',
    );
    expect(await c.says('GET /pools', { type: 'qemu' })).toBe(
      "400 poolid: missing property - 'type' requires this property",
    );
  });

  it('tasks of others, and of nobody', async () => {
    await using c = await Conversation.open('9.2');
    const node = `/nodes/${c.double.node}`;
    await c.task(`POST ${c.vm}/status/stop`, {}, 'admin');
    await c.task(`POST ${c.vm}/snapshot`, { snapname: 'a1' });
    const upid = c.double.state.taskOrder.find((one) => one.includes(':qmstop:')) ?? '';
    for (const what of ['status', 'log']) {
      expect(await c.says(`GET ${node}/tasks/${upid}/${what}`, {}, 'nobody')).toBe(
        `403 Permission check failed (/nodes/${c.double.node}, Sys.Audit)`,
      );
    }
    const unknown = `UPID:${c.double.node}:000F0001:00ABCDEF:65000000:qmstart:4101:root@pam:`;
    expect(await c.says(`GET ${node}/tasks/${unknown}/status`, {}, 'nobody')).toBe('400 upid: no such task');
    expect(await c.says(`GET ${node}/tasks/${unknown}/log`, {}, 'nobody')).toMatch(/^403 /);
    const count = async (params: Record<string, string | number>, who: 'admin' | 'nobody' = 'admin') =>
      ((await c.data(`GET ${node}/tasks`, params, who)) as unknown[]).length;
    expect(await count({})).toBe(3);
    expect(await count({}, 'nobody')).toBe(0);
    expect(await count({ limit: 0 })).toBe(0);
    expect(await count({ userfilter: 'ADMIN' })).toBe(1);
    expect(await count({ statusfilter: 'error,unknown' })).toBe(0);
    expect(await count({ until: 1 })).toBe(0);
    expect(await c.says(`GET ${node}/tasks`, { source: 'other' })).toBe(
      "400 source: value 'other' does not have a value in the enumeration 'archive, active, all'",
    );
  });

  it('a login, and nobody', async () => {
    await using c = await Conversation.open('8.4');
    const open = (line: string, params = {}) => {
      const [method = '', path = ''] = line.split(' ');
      return c.double.dispatcher.handle({ method, path, params });
    };
    expect(await open('GET /access/ticket')).toMatchObject({ status: 200, body: { data: null } });
    expect(await open('POST /access/ticket', { username: 'root@pam', password: 'x' })).toMatchObject({
      status: 401,
      reason: 'authentication failure',
    });
    expect(await open('POST /access/ticket')).toMatchObject({ status: 400 });
    expect(await open('GET /version')).toMatchObject({ status: 401, reason: 'No ticket', body: null });
  });
});
