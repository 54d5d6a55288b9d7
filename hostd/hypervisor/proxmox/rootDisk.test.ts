import { expect, test } from 'vitest';
import { rootDisk } from './rootDisk.ts';

test.each([
  [
    { boot: 'order=scsi0;ide2', scsi0: 'local:9001/base.qcow2/4101/vm.qcow2,size=1G' },
    { slot: 'scsi0', storage: 'local', sizeMiB: 1024 },
  ],
  [
    { ide2: 'local:cloudinit,media=cdrom', virtio0: 'thin:vm-1-disk-0,discard=on,size=8192M' },
    { slot: 'virtio0', storage: 'thin', sizeMiB: 8192 },
  ],
  [
    { boot: 'order=net0;virtio0', virtio0: 'thin:vm-1-disk-0,size=2T', scsi1: 'thin:x,size=1G' },
    { slot: 'virtio0', storage: 'thin', sizeMiB: 2_097_152 },
  ],
  [
    {
      boot: 'order=virtio1',
      virtio1: 'thin:vm-1-disk-1,serial=lebureau-boot,size=19M',
      virtio0: 'thin:vm-1-disk-0,size=8G',
    },
    { slot: 'virtio0', storage: 'thin', sizeMiB: 8192 },
  ],
  [{ ide2: 'local:cloudinit,media=cdrom' }, undefined],
])('the root of %o is on %o', (config, disk) => {
  expect(rootDisk(config)).toEqual(disk);
});
