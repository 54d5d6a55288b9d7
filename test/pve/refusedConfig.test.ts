import { describe, expect, it } from 'vitest';
import { findReference } from './api/reference.ts';
import { Conversation } from './conversation.ts';

/** Texts without a recording are those of API2/Qemu.pm, QemuServer.pm, JSONSchema.pm and GuestHelpers.pm. */
describe.skipIf(findReference() === undefined)('what a change of a config refuses (needs shared/reference)', () => {
  it('checks names, lists and pairs of options before anything else', async () => {
    await using c = await Conversation.open('9.2');
    const put = (given: Record<string, string | number>, who?: 'admin') => c.says(`PUT ${c.vm}/config`, given, who);
    expect(await put({})).toBe('500 no options specified');
    expect(await put({ delete: 'nosuch' })).toBe("400 delete: unknown option 'nosuch'");
    expect(await put({ delete: 'scsi31' })).toBe("400 delete: unknown option 'scsi31'");
    expect(await put({ revert: 'nosuch' })).toBe("400 revert: unknown option 'nosuch'");
    expect(await put({ delete: 'cores', cores: 1 })).toBe(
      "400 delete: you can't use '-cores' and -delete cores' at the same time",
    );
    expect(await put({ revert: 'cores', cores: 1 })).toBe(
      "400 delete: you can't use '-cores' and -revert cores' at the same time",
    );
    expect(await put({ revert: 'cores', delete: 'cores' })).toBe(
      "400 revert: you can't use '-delete cores' and -revert cores' at the same time",
    );
    expect(await put({ delete: '-x' })).toBe("400 delete: invalid format - invalid configuration ID '-x'\n");
    expect(await put({ force: 1, cores: 1 })).toBe("400 delete: missing property - 'force' requires this property");
    expect(await put({ net32: 'virtio' })).toBe(
      '400 net32: property is not defined in schema and the schema does not allow additional properties',
    );
    expect(await put({ skiplock: 1, cores: 1 }, 'admin')).toBe('400 skiplock: Only root may use this option.');
    for (const option of ['lock', 'parent', 'args']) {
      expect(await put({ delete: option }, 'admin')).toBe(`500 only root can set '${option}' config`);
    }
  });

  it('checks values', async () => {
    await using c = await Conversation.open('8.4');
    const put = (given: Record<string, string | number>) => c.says(`PUT ${c.vm}/config`, given);
    expect(await put({ cores: 0 })).toBe('400 cores: value must have a minimum value of 1');
    expect(await put({ cores: '1.5' })).toBe("400 cores: type check ('integer') failed - got '1.5'");
    expect(await put({ memory: 'current=16,current=32' })).toBe(
      '400 memory: invalid format - duplicate key in comma-separated list property: current\n',
    );
    expect(await put({ net0: 'virtio=BC:24:11:00:00:01,e1000=BC:24:11:00:00:02' })).toBe(
      "400 net0: invalid format - key alias 'model' is already defined\n",
    );
    expect(await put({ net0: 'virtio,bridge=vmbr0,tag=5000' })).toBe(
      '400 net0: invalid format - format error\nnet0.tag: value must have a maximum value of 4094\n',
    );
    expect(await put({ agent: 'on' })).toBe(
      "400 agent: invalid format - format error\nagent.enabled: type check ('boolean') failed - got 'on'\n",
    );
    expect(await put({ boot: 'order=scsi31' })).toBe(
      "400 boot: invalid format - format error\nboot.order: invalid format - invalid boot device 'scsi31'\n\n",
    );
    expect(await put({ boot: 'order=scsi5' })).toBe("500 invalid bootorder: device 'scsi5' does not exist'");
    expect(await put({ cpu: 'z80' })).toBe(
      "400 cpu: invalid format - Built-in cputype 'z80' is not defined (missing 'custom-' prefix?)\n",
    );
    expect(await put({ hotplug: 'disk,moon' })).toBe("400 hotplug: invalid format - invalid hotplug feature 'moon'\n");
    expect(await put({ startup: 'soon' })).toBe('400 startup: invalid format - unable to parse startup options\n');
    expect(await put({ nameserver: '1.2.3.4 a_b' })).toBe(
      '400 nameserver: invalid format - value does not look like a valid address: a_b\n',
    );
    expect(await put({ memory: 512, balloon: 1024 })).toBe(
      '500 balloon value too large (must be smaller than assigned memory)',
    );
    expect(await put({ cores: 2, digest: '0'.repeat(40) })).toBe('500 checksum missmatch (file change by other user?)');
    expect(await put({ cores: 2, digest: '0'.repeat(41) })).toBe('400 digest: value may only be 40 characters long');
  });

  it('asks for the rights of each option, of its bridge and of its storage', async () => {
    await using c = await Conversation.open('9.2');
    const put = (given: Record<string, string | number>) => c.says(`PUT ${c.vm}/config`, given);
    expect(await put({ net0: 'virtio,bridge=vmbr9' })).toBe(
      '403 Permission check failed (/sdn/zones/localnetwork/vmbr9, SDN.Use)',
    );
    expect(await put({ net0: 'virtio,bridge=vmbr9,tag=7' })).toBe(
      '403 Permission check failed (/sdn/zones/localnetwork/vmbr9/7, SDN.Use)',
    );
    expect(await put({ startup: 'order=1' })).toBe('403 Permission check failed (/, Sys.Modify)');
    expect(await put({ ide0: 'cdrom,media=cdrom' })).toBe('403 Permission check failed (/, Sys.Console)');
    expect(await put({ scsi1: '/dev/sda' })).toBe('500 Only root can pass arbitrary filesystem paths.');
    expect(await put({ scsi1: '/etc/passwd' })).toBe(
      "400 scsi1: unable to associate path '/etc/passwd' to any storage",
    );
    expect(await put({ scsi1: 'local:777/vm-777-disk-0.qcow2' })).toBe(
      '403 Permission check failed (/vms/777, VM.Config.Disk)',
    );
    expect(await put({ scsi1: 'local:nonsense' })).toBe("500 unable to parse directory volume name 'nonsense'");
    expect(await put({ scsi1: 'local:iso/x.iso' })).toBe(
      "400 scsi1: explicit 'media=cdrom' is required for iso images",
    );
    expect(await put({ scsi1: 'local:cloudinit' })).toBe('403 Permission check failed (/vms/4101, VM.Config.CDROM)');
    expect(await c.says(`PUT ${c.vm}/config`, { scsi1: 'local:cloudinit' }, 'admin')).toBe(
      "500 scsi1 - cloud-init drive is already attached at 'ide2'",
    );
    expect(await put({ serial1: '/dev/ttyS0' })).toBe("500 only root can modify 'serial1' config for real devices");
    expect(await put({ usb0: 'host=1234:5678' })).toBe("500 only root can set 'usb0' config for real devices");
    expect(await put({ hostpci0: '00:02.0' })).toBe("500 only root can set 'hostpci0' config for non-mapped devices");
    expect(await put({ hookscript: 'local:snippets/x.pl' })).toBe(
      "400 hookscript: script 'local:snippets/x.pl' does not exist\n",
    );
  });

  it('tells what a task finds out in its log, and an exception with its status', async () => {
    await using c = await Conversation.open('9.2');
    const post = (given: Record<string, string | number>) => c.task(`POST ${c.vm}/config`, given);
    expect(await post({ delete: 'ciuser' })).toEqual([
      'update VM 4101: -delete ciuser',
      "cannot delete 'ciuser' - not set in current configuration!",
      'TASK OK',
    ]);
    expect((await post({ scsi1: 'local:cloudinit' })).at(-1)).toBe(
      'TASK ERROR: 403 Permission check failed (/vms/4101, VM.Config.CDROM)',
    );
    expect((await post({ serial1: '/dev/ttyS0' })).at(-1)).toBe(
      "TASK ERROR: only root can modify 'serial1' config for real devices",
    );
    await c.says(`PUT ${c.vm}/config`, { protection: 1 });
    expect((await post({ delete: 'scsi0' })).at(-1)).toBe(
      "TASK ERROR: can't remove drive 'scsi0' - protection mode enabled",
    );
    expect(await c.says(`DELETE ${c.vm}`)).toBe("500 can't remove VM 4101 - protection mode enabled");
    expect(await c.says(`POST ${c.vm}/config`, { cores: 1, background_delay: 31 })).toBe(
      '400 background_delay: value must have a maximum value of 30',
    );
    expect(await c.data(`POST ${c.vm}/config`, { cores: 1, background_delay: 30 })).toBe(null);
  });

  it('reads one config at a time', async () => {
    await using c = await Conversation.open('8.4');
    const text = "cannot use 'snapshot' parameter with 'current'";
    expect(await c.says(`GET ${c.vm}/config`, { snapshot: 'a1', current: 1 })).toBe(
      `400 current: ${text} | snapshot: ${text}`,
    );
    expect(await c.says(`GET ${c.vm}/config`, { snapshot: 'a1' })).toBe("500 snapshot 'a1' does not exist");
    expect(await c.data(`GET ${c.vm}/feature`, { feature: 'clone' })).toMatchObject({ hasFeature: 0 });
    expect(await c.data(`GET ${c.vm}/feature`, { feature: 'snapshot' })).toMatchObject({ hasFeature: 1 });
    expect(await c.says(`GET ${c.vm}/feature`, { feature: 'fly' })).toBe(
      "400 feature: value 'fly' does not have a value in the enumeration 'snapshot, clone, copy'",
    );
  });
});
