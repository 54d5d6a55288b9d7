import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { Conversation } from './conversation.ts';
import type { VmState } from './world/state.ts';

function stateOf(c: Conversation, vmid = 4101): VmState {
  return c.double.state.vms[vmid] as VmState;
}

/** Texts without a recording are those of API2/Qemu.pm, QemuServer.pm and AbstractConfig.pm. */
describe.skipIf(findReference() === undefined)('what a machine refuses (needs shared/reference)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`power, in the wrong state, on ${version}`, async () => {
      await using c = await Conversation.open(version);
      const post = (what: string, given = {}) => c.says(`POST ${c.vm}/status/${what}`, given);
      for (const what of ['suspend', 'resume', 'reset', 'reboot'])
        expect(await post(what)).toBe('500 VM 4101 not running');
      for (const what of ['stop', 'shutdown']) expect(await c.task(`POST ${c.vm}/status/${what}`)).toEqual(['TASK OK']);
      for (const what of ['start', 'stop', 'shutdown', 'suspend', 'resume', 'reset']) {
        expect(await post(what, { skiplock: 1 })).toBe('400 skiplock: Only root may use this option.');
      }
      expect(await post('suspend', { statestorage: 'local' })).toBe(
        "400 todisk: missing property - 'statestorage' requires this property",
      );
      expect(await post('shutdown', { timeout: -1 })).toBe('400 timeout: value must have a minimum value of 0');
      expect(await post('start', { migratedfrom: 'pve2' })).toBe('400 migratedfrom: Only root may use this option.');
      expect(await c.says(`PUT ${c.vm}/sendkey`, { key: 'ret' })).toBe('500 VM 4101 not running');
      const missing = `/nodes/${c.double.node}/qemu/777`;
      c.double.state.pools.desks?.members.push(777);
      for (const what of ['suspend', 'reset', 'reboot', 'resume']) {
        const words = `500 unable to find configuration file for VM 777 on node '${c.double.node}'`;
        expect(await c.says(`POST ${missing}/status/${what}`)).toBe(words);
      }
      expect(await c.says(`POST ${missing}/vncproxy`)).toBe(
        `500 Configuration file 'nodes/${c.double.node}/qemu-server/777.conf' does not exist`,
      );
    });
  }

  it('a start with more CPUs than the node has, and a guest that does not go', async () => {
    await using c = await Conversation.open('9.2');
    await c.says(`PUT ${c.vm}/config`, { cores: 100_000 });
    expect((await c.task(`POST ${c.vm}/status/start`)).at(-1)).toBe(
      'TASK ERROR: MAX 16 vcpus allowed per VM on this node',
    );
    await c.says(`PUT ${c.vm}/config`, { cores: 1, agent: 0 });
    await c.task(`POST ${c.vm}/status/start`);
    await c.double.machines.pause(4101);
    expect(await c.task(`POST ${c.vm}/status/shutdown`, { timeout: 1, forceStop: 1 })).toEqual([
      'VM still running - terminating now with SIGTERM',
      'TASK OK',
    ]);
  });

  it('what a lock forbids, after what is not there at all', async () => {
    await using c = await Conversation.open('8.4');
    await c.task(`POST ${c.vm}/snapshot`, { snapname: 's1' });
    stateOf(c).config.lock = 'backup';
    const last = async (line: string, given = {}) => (await c.task(line, given)).at(-1);
    expect(await last(`POST ${c.vm}/snapshot/nope/rollback`)).toBe("TASK ERROR: snapshot 'nope' does not exist");
    expect(await last(`POST ${c.vm}/snapshot/s1/rollback`)).toBe('TASK ERROR: VM is locked (backup)');
    expect(await last(`DELETE ${c.vm}/snapshot/nope`)).toBe("TASK ERROR: snapshot 'nope' does not exist");
    expect(await last(`DELETE ${c.vm}/snapshot/s1`)).toBe('TASK ERROR: VM is locked (backup)');
    expect(await c.says(`POST ${c.vm}/template`)).toBe('500 VM is locked (backup)');
    expect(await c.says(`PUT ${c.vm}/snapshot/s1/config`, { description: 'x' })).toBe('500 VM is locked (backup)');
    expect(await c.says(`PUT ${c.vm}/snapshot/nope/config`)).toBe('200');
    expect(await c.says(`PUT ${c.vm}/cloudinit`)).toBe('500 VM is locked (backup)');
    expect(await c.says(`POST ${c.vm}/move_disk`, { disk: 'scsi0', storage: 'local' })).toBe(
      '500 VM is locked (backup)',
    );
  });

  it('names of snapshots', async () => {
    await using c = await Conversation.open('9.2');
    const take = (snapname: string) => c.says(`POST ${c.vm}/snapshot`, { snapname });
    expect(await take('current')).toBe("500 unable to use snapshot name 'current' (reserved name)");
    expect(await take('Pending')).toBe("500 unable to use snapshot name 'pending' (reserved name)");
    expect(await take('1st')).toBe("400 snapname: invalid format - invalid configuration ID '1st'\n");
    expect(await take('a'.repeat(41))).toBe('400 snapname: value may only be 40 characters long');
    expect(await c.says(`POST ${c.vm}/snapshot`)).toBe('400 snapname: property is missing and it is not optional');
    await c.task(`POST ${c.vm}/snapshot`, { snapname: 'a1' });
    await c.task(`POST ${c.vm}/snapshot`, { snapname: 'a2', description: 'second' });
    expect((await c.task(`POST ${c.vm}/snapshot`, { snapname: 'a1' })).at(-1)).toBe(
      "TASK ERROR: snapshot name 'a1' already used",
    );
    expect(await c.data(`GET ${c.vm}/snapshot/a1/config`)).not.toHaveProperty('description');
    expect(await c.task(`DELETE ${c.vm}/snapshot/a1`)).toEqual(['TASK OK']);
    const left = (await c.data(`GET ${c.vm}/snapshot`)) as { name: string; parent?: string }[];
    expect(left.find((one) => one.name === 'a2')).not.toHaveProperty('parent');
    expect(await c.says(`POST ${c.vm}/template`)).toBe('500 unable to create template, because VM contains snapshots');
  });

  it('clones, in the order of their checks', async () => {
    await using c = await Conversation.open('8.4');
    const template = `/nodes/${c.double.node}/qemu/9001/clone`;
    const clone = (given: Record<string, string | number>) => c.says(`POST ${template}`, { pool: 'desks', ...given });
    expect(await clone({})).toBe('400 newid: property is missing and it is not optional');
    expect(await clone({ newid: 4102, target: 'nope' })).toBe("500 no such cluster node 'nope'");
    expect(await clone({ newid: 4102, format: 'raw' })).toBe("500 parameter 'format' not allowed for linked clones");
    expect(await clone({ newid: 4102, full: 1, format: 'vdi' })).toBe(
      "400 format: value 'vdi' does not have a value in the enumeration 'raw, qcow2, vmdk'",
    );
    expect(await clone({ newid: 4102, snapname: 'nope' })).toBe("500 snapshot 'nope' does not exist");
    expect(await clone({ newid: 4102, full: 1, storage: 'a' })).toBe(
      "400 storage: invalid format - storage ID 'a' contains illegal characters\n",
    );
    expect(await clone({ newid: 4101, full: 1, storage: 'nope' })).toBe("500 storage 'nope' does not exist");
    expect(await clone({ newid: 4101 })).toBe('500 unable to create VM 4101: config file already exists');
    expect(await clone({ newid: 4102, pool: 'no pool' })).toBe('403 Permission check failed');
    await c.task(`POST ${c.vm}/snapshot`, { snapname: 's1' });
    expect(await c.says(`POST ${c.vm}/clone`, { newid: 4102, full: 0, snapname: 's1', pool: 'desks' })).toBe(
      "500 Linked clone feature is not supported for a snapshot of 'local:9001/base-9001-disk-0.qcow2/4101/vm-4101-disk-0.qcow2' (scsi0)",
    );
  });

  it('gives a clone the firewall of its source, and takes away what its id had before', async () => {
    await using c = await Conversation.open('9.2');
    const { firewalls } = c.double.state;
    await c.says(`POST /nodes/${c.double.node}/qemu/4102/firewall/aliases`, { name: 'old', cidr: '10.0.0.1' }, 'admin');
    await c.says(`PUT /nodes/${c.double.node}/qemu/9001/firewall/options`, { enable: 1 });
    await c.clone(4102, 'desk-2');
    expect(firewalls['/vms/4102']).toEqual(firewalls['/vms/9001']);
    await c.task(`DELETE /nodes/${c.double.node}/qemu/4102`);
    expect(firewalls).not.toHaveProperty('/vms/4102');
  });

  it('a disk that is to move, a screen and a monitor', async () => {
    await using c = await Conversation.open('9.2');
    const move = (given: Record<string, string | number>) =>
      c.says(`POST ${c.vm}/move_disk`, { disk: 'scsi0', ...given });
    const neither = "both 'storage' and 'target-vmid' missing, either needs to be set";
    expect(await move({})).toBe(`400 storage: ${neither} | target-vmid: ${neither}`);
    const both = "either set 'storage' or 'target-vmid', but not both";
    expect(await move({ storage: 'local', 'target-vmid': 4102 })).toBe(`400 storage: ${both} | target-vmid: ${both}`);
    expect(await move({ storage: 'local' })).toBe("500 you can't move to the same storage with same format");
    expect(await move({ storage: 'local', disk: 'ide2' })).toBe("500 you can't move a cdrom");
    expect(await move({ storage: 'local', disk: 'scsi7' })).toBe("500 disk 'scsi7' does not exist");
    expect(await move({ storage: 'nope' })).toBe(
      '403 Permission check failed (/storage/nope, Datastore.AllocateSpace)',
    );
    expect(await move({ 'target-vmid': 4101 })).toBe(
      '400 target-vmid: must be different than source VMID to reassign disk',
    );
    expect((await c.task(`POST ${c.vm}/move_disk`, { disk: 'scsi0', storage: 'local', format: 'raw' })).at(-1)).toBe(
      'TASK OK',
    );
    expect(stateOf(c).config).toMatchObject({ scsi0: expect.stringContaining('.raw'), unused0: expect.anything() });
    expect(await c.says(`GET ${c.vm}/vncwebsocket`, { port: 5900, vncticket: 'x' })).toBe(
      '401 permission denied - invalid PVEVNC ticket',
    );
    expect(await c.says(`GET ${c.vm}/vncwebsocket`, { port: 80, vncticket: 'x' })).toBe(
      '400 port: value must have a minimum value of 5900',
    );
    expect(await c.says(`POST ${c.vm}/termproxy`, { serial: 'serial9' })).toBe(
      "400 serial: value 'serial9' does not have a value in the enumeration 'serial0, serial1, serial2, serial3'",
    );
    expect(Object.keys((await c.data(`POST ${c.vm}/termproxy`)) as object).toSorted()).toEqual([
      'port',
      'ticket',
      'upid',
      'user',
    ]);
    expect(await c.says(`POST ${c.vm}/monitor`, { command: 'info status' })).toBe(
      '403 Permission check failed (/vms/4101, Sys.Audit|Sys.Modify)',
    );
    expect(await c.data(`POST ${c.vm}/monitor`, { command: 'info status' }, 'admin')).toBe(
      'ERROR: VM 4101 not running\n',
    );
    expect(await c.says(`POST ${c.vm}/spiceproxy`)).toBe('500 VM 4101 not running');
  });

  it('an agent that is given what it cannot take', async () => {
    await using c = await Conversation.open('8.4');
    const agent = `${c.vm}/agent`;
    expect(await c.says(`POST ${agent}/exec`, { command: '' })).toBe("400 command: type check ('array') failed");
    expect(await c.says(`POST ${agent}/exec`)).toBe('400 command: property is missing and it is not optional');
    expect(await c.says(`GET ${agent}/exec-status`, { pid: 'x' })).toBe(
      "400 pid: type check ('integer') failed - got 'x'",
    );
    expect(await c.says(`GET ${agent}/file-read`)).toBe('400 file: property is missing and it is not optional');
    expect(await c.says(`POST ${agent}/set-user-password`, { username: 'u', password: 'abc' })).toBe(
      '400 password: value must be at least 5 characters long',
    );
    // Encoded before anybody looks whether the machine runs.
    expect(await c.says(`POST ${agent}/file-write`, { file: '/x', content: '–' })).toMatch(/^500 Wide character in/);
    expect(await c.says(`POST ${agent}/file-write`, { file: '/x', content: 'x' })).toBe('500 VM 4101 is not running');
    expect(await c.says(`GET ${agent}`, { anything: 1 })).toBe('200');
    expect(await c.says(`GET ${agent}/ping`)).toBe(`501 Method 'GET ${agent}/ping' not implemented`);
  });
});
